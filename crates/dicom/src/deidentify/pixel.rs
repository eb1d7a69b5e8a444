//! Regions of native pixel data, blanked as the bytes pass by, PS3.15 E.3.1.
//!
//! Deliberately absent: compressed pixels, and any look at what is in the pixels.

use std::ops::Range;

use super::facts::Facts;
use super::profile::Region;

/// What is blanked of each frame: ranges of its bytes, ascending, apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blanks {
    frame_bytes: u64,
    ranges: Vec<Range<u64>>,
}

/// How a frame lies there.
struct Geometry {
    rows: u64,
    columns: u64,
    /// Bytes of a pixel in a plane.
    pixel_bytes: u64,
    planes: u64,
}

impl Blanks {
    /// Blanks what is inside these regions; `None` when the pixels are not laid out as the
    /// header says.
    pub(super) fn inside(facts: &Facts, length: u64, regions: &[Region]) -> Option<Blanks> {
        let geometry = Geometry::of(facts, length)?;
        geometry.blanks(|row| {
            let columns = regions.iter().filter(|region| {
                (u64::from(region.top)..u64::from(region.top) + u64::from(region.height)).contains(&row)
            });
            columns.map(|region| u64::from(region.left)..u64::from(region.left) + u64::from(region.width)).collect()
        })
    }

    /// Blanks what is outside the ultrasound regions.
    pub(super) fn outside_ultrasound_regions(facts: &Facts, length: u64) -> Option<Blanks> {
        let geometry = Geometry::of(facts, length)?;
        let end = geometry.columns;
        geometry.blanks(|row| {
            let covers = |[_, top, _, bottom]: &&[u32; 4]| u64::from(*top) <= row && row <= u64::from(*bottom);
            let mut kept: Vec<Range<u64>> = facts
                .regions
                .iter()
                .filter(covers)
                .map(|[left, _, right, _]| u64::from(*left)..u64::from(*right) + 1)
                .collect();
            kept.sort_by_key(|columns| columns.start);
            let mut blank = Vec::new();
            let mut at = 0;
            for columns in kept {
                if columns.start > at {
                    blank.push(at..columns.start.min(end));
                }
                at = at.max(columns.end);
            }
            if at < end {
                blank.push(at..end);
            }
            blank
        })
    }

    /// Blanks what of these bytes of the value, the first of which is at `offset`, is in a range.
    pub(super) fn apply(&self, offset: u64, bytes: &mut [u8]) {
        let end = offset + bytes.len() as u64;
        let mut frame = offset / self.frame_bytes;
        while frame * self.frame_bytes < end {
            let origin = frame * self.frame_bytes;
            let first = self.ranges.partition_point(|range| origin + range.end <= offset);
            for range in self.ranges.iter().skip(first) {
                let (from, to) = ((origin + range.start).max(offset), (origin + range.end).min(end));
                if from >= end {
                    break;
                }
                if let Some(bytes) = bytes.get_mut((from - offset) as usize..(to - offset) as usize) {
                    bytes.fill(0);
                }
            }
            frame += 1;
        }
    }
}

impl Geometry {
    fn of(facts: &Facts, length: u64) -> Option<Geometry> {
        let bits = facts.bits_allocated()?;
        let samples = u64::from(facts.samples());
        let whole_bytes = bits > 0 && bits.is_multiple_of(8) && bits <= 64;
        // 4:2:2 shares colour between neighbours, PS3.3 C.7.6.3.1.2.
        if !whole_bytes || !(1..=4).contains(&samples) || facts.photometric().contains("42") {
            return None;
        }
        let bytes = u64::from(bits / 8);
        let (pixel_bytes, planes) =
            if facts.is_planar() && samples > 1 { (bytes, samples) } else { (bytes * samples, 1) };
        let geometry =
            Geometry { rows: u64::from(facts.rows()?), columns: u64::from(facts.columns()?), pixel_bytes, planes };
        let whole = geometry.frame_bytes().checked_mul(u64::from(facts.frames()))?;
        (geometry.frame_bytes() > 0 && whole + whole % 2 == length).then_some(geometry)
    }

    fn frame_bytes(&self) -> u64 {
        self.rows * self.columns * self.pixel_bytes * self.planes
    }

    /// The ranges of a frame's bytes, given the columns to blank of each row.
    fn blanks(&self, columns: impl Fn(u64) -> Vec<Range<u64>>) -> Option<Blanks> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for plane in 0..self.planes {
            for row in 0..self.rows {
                let start = (plane * self.rows + row) * self.columns;
                let mut blank = columns(row);
                blank.sort_by_key(|columns| columns.start);
                for columns in blank {
                    if columns.end > self.columns {
                        return None;
                    }
                    let range = (start + columns.start) * self.pixel_bytes..(start + columns.end) * self.pixel_bytes;
                    match ranges.last_mut() {
                        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                        _ => ranges.push(range),
                    }
                }
            }
        }
        Some(Blanks { frame_bytes: self.frame_bytes(), ranges })
    }
}
