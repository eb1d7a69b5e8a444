//! Distinct instances by raw byte joins: no DICOM library is in the inner loop.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

/// CT Image Storage.
pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
/// Explicit VR Little Endian.
pub const SYNTAX: &str = "1.2.840.10008.1.2.1";
const ROOT: &str = "2.25.77";
/// Places in the noise where an instance's pixels may begin.
const SHIFTS: u64 = 8192;
const FAMILIES: [&str; 16] = [
    "Smith", "Johnson", "Nguyen", "Rossi", "Kowalski", "Silva", "Dubois", "Novak", "Svensson", "Okafor", "Patel",
    "Haddad", "Meyer", "Tanaka", "Olsen", "Garcia",
];
const GIVEN: [&str; 8] = ["Anna", "Ben", "Clara", "David", "Eva", "Finn", "Grace", "Hugo"];

/// What the instances are like. The same values give the same bytes.
#[derive(Args, Clone, Debug)]
pub struct Kind {
    /// How many.
    #[arg(long, default_value_t = 200)]
    pub count: u64,
    /// Sets a run's UIDs apart from another's.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Instances of a series; each series is a study of its own.
    #[arg(long, default_value_t = 100)]
    pub per_series: u64,
    /// Bytes of Pixel Data.
    #[arg(long, default_value_t = 524_288)]
    pub pixel_bytes: usize,
    /// Number of Frames, 0 for a single-frame object without the attribute.
    #[arg(long, default_value_t = 0)]
    pub frames: u32,
}

/// One instance.
pub struct Instance {
    /// SOP Instance UID.
    pub sop_instance: String,
    /// The data set, Explicit VR Little Endian, up to the value of Pixel Data.
    pub header: Vec<u8>,
    /// The value of Pixel Data.
    pub pixels: &'static [u8],
}

impl Instance {
    /// Bytes of the data set.
    pub fn bytes(&self) -> u64 {
        (self.header.len() + self.pixels.len()) as u64
    }
}

impl Kind {
    /// Instance number `index`, from 0.
    pub fn instance(&self, index: u64) -> Instance {
        let series_index = index / self.per_series;
        let (seed, number) = (self.seed, index % self.per_series + 1);
        let study = format!("{ROOT}.{seed}.{series_index}.1");
        let series = format!("{ROOT}.{seed}.{series_index}.2");
        let sop_instance = format!("{ROOT}.{seed}.{series_index}.3.{number}");
        let header = self.header(&study, &series, &sop_instance, series_index, number);
        Instance { sop_instance, header, pixels: self.pixels(series_index, number) }
    }

    fn header(&self, study: &str, series: &str, sop_instance: &str, series_index: u64, number: u64) -> Vec<u8> {
        let mixed = (series_index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) + self.seed;
        let family = FAMILIES[(mixed % 16) as usize];
        let given = GIVEN[(mixed / 16 % 8) as usize];
        let day = format!("{:04}{:02}{:02}", 2000 + mixed % 25, 1 + mixed / 7 % 12, 1 + mixed / 11 % 28);
        let side = ((self.pixel_bytes / 2 / self.frames.max(1) as usize) as f64).sqrt() as u16;
        let mut out = Vec::with_capacity(2048);
        let mut put = |group: u16, element: u16, vr: &[u8; 2], value: &str| text(&mut out, group, element, *vr, value);
        put(8, 5, b"CS", "ISO_IR 100");
        put(8, 8, b"CS", "ORIGINAL\\PRIMARY\\AXIAL");
        put(8, 0x16, b"UI", CT);
        put(8, 0x18, b"UI", sop_instance);
        put(8, 0x20, b"DA", &day);
        put(8, 0x30, b"TM", &format!("{:02}{:02}{:02}", mixed % 24, mixed / 3 % 60, mixed / 5 % 60));
        put(8, 0x50, b"SH", &format!("ACC{}{series_index:08}", self.seed));
        put(8, 0x60, b"CS", "CT");
        put(8, 0x70, b"LO", "Leadglass bench");
        put(8, 0x80, b"LO", "General Hospital");
        put(8, 0x90, b"PN", "Gray^Meredith");
        put(8, 0x1030, b"LO", "Chest routine");
        put(8, 0x103E, b"LO", "Axial 5 mm");
        put(0x10, 0x10, b"PN", &format!("{family}{:04}^{given}", mixed % 10_000));
        put(0x10, 0x20, b"LO", &format!("P{}-{:07}", self.seed, series_index * 2 / 3));
        put(0x10, 0x30, b"DA", "19610412");
        put(0x10, 0x40, b"CS", if mixed.is_multiple_of(2) { "F" } else { "M" });
        put(0x18, 0x50, b"DS", "5.0");
        put(0x18, 0x60, b"DS", "120");
        put(0x20, 0x0D, b"UI", study);
        put(0x20, 0x0E, b"UI", series);
        put(0x20, 0x10, b"SH", &format!("{series_index}"));
        put(0x20, 0x11, b"IS", "2");
        put(0x20, 0x13, b"IS", &number.to_string());
        put(0x20, 0x32, b"DS", &format!("-250.0\\-250.0\\{}.0", number * 5));
        put(0x20, 0x37, b"DS", "1\\0\\0\\0\\1\\0");
        put(0x20, 0x52, b"UI", &format!("{series}.9"));
        short(&mut out, 0x28, 2, 1);
        text(&mut out, 0x28, 4, *b"CS", "MONOCHROME2");
        if self.frames > 0 {
            text(&mut out, 0x28, 8, *b"IS", &self.frames.to_string());
        }
        for (element, value) in [(0x10, side), (0x11, side), (0x100, 16), (0x101, 12), (0x102, 11), (0x103, 0)] {
            short(&mut out, 0x28, element, value);
        }
        text(&mut out, 0x28, 0x1052, *b"DS", "-1024");
        text(&mut out, 0x28, 0x1053, *b"DS", "1");
        out.extend_from_slice(&[0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0]);
        out.extend_from_slice(&(self.pixel_bytes as u32).to_le_bytes());
        out
    }

    /// A piece of the noise, another for each instance: the load generator must not be what
    /// is measured.
    fn pixels(&self, series_index: u64, number: u64) -> &'static [u8] {
        static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
        let noise = NOISE.get_or_init(|| noise(self.seed, self.pixel_bytes + 8 * SHIFTS as usize));
        let shift = 8 * ((series_index.wrapping_mul(7919) + number.wrapping_mul(31)) % SHIFTS) as usize;
        &noise[shift..shift + self.pixel_bytes]
    }
}

/// Slowly varying values with noise in the low bits, as a scanner's are.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 8);
    let mut state = seed | 1;
    for index in 0..=bytes as u64 / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let value = (state & 0x000F_000F_000F_000F) | (index & 0x3F) << 4 | 0x0400_0400_0400_0400;
        out.extend_from_slice(&value.to_le_bytes());
    }
    out
}

/// Bytes of a Part 10 file around a data set.
pub fn part10(instance: &Instance) -> Vec<u8> {
    let mut meta = vec![2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1];
    text(&mut meta, 2, 2, *b"UI", CT);
    text(&mut meta, 2, 3, *b"UI", &instance.sop_instance);
    text(&mut meta, 2, 0x10, *b"UI", SYNTAX);
    text(&mut meta, 2, 0x12, *b"UI", "2.25.77.9");
    let mut out = Vec::with_capacity(1024 + instance.header.len() + instance.pixels.len());
    out.extend_from_slice(&[0; 128]);
    out.extend_from_slice(b"DICM\x02\0\0\0UL\x04\0");
    out.extend_from_slice(&(meta.len() as u32).to_le_bytes());
    out.extend_from_slice(&meta);
    out.extend_from_slice(&instance.header);
    out.extend_from_slice(instance.pixels);
    out
}

/// Writes them as files.
pub fn write_files(folder: &Path, kind: &Kind) -> anyhow::Result<Value> {
    fs::create_dir_all(folder).context("cannot make the output folder")?;
    for index in 0..kind.count {
        fs::write(folder.join(format!("{index:08}.dcm")), part10(&kind.instance(index)))?;
    }
    Ok(json!({ "files": kind.count }))
}

fn text(out: &mut Vec<u8>, group: u16, element: u16, vr: [u8; 2], value: &str) {
    let padded = value.len() + value.len() % 2;
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(&vr);
    out.extend_from_slice(&(padded as u16).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    if padded > value.len() {
        out.push(if &vr == b"UI" { 0 } else { b' ' });
    }
}

fn short(out: &mut Vec<u8>, group: u16, element: u16, value: u16) {
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(b"US\x02\0");
    out.extend_from_slice(&value.to_le_bytes());
}
