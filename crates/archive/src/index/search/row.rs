//! From a row of SQL to an answer.

use leadglass_dicom::attribute::{self, Attribute, Level, Matchable};
use leadglass_dicom::query::{self, Include, Key, Query};
use leadglass_dicom::{DataSet, Tag};
use rusqlite::{Connection, Row};

use super::LoadAttributes;
use super::condition::is_indexed;
use super::derived::{self, Ids};
use crate::access::Reach;
use crate::index::{IndexError, column};

/// Stored attributes loaded for one page at most.
const MOST_LOADED: usize = 20_000;

/// What the doors say of a row themselves: character set, level, retrieve AE and URL,
/// availability, file set.
const OF_THE_DOORS: [Tag; 8] = [
    Tag(0x0008, 0x0005),
    Tag(0x0008, 0x0052),
    Tag(0x0008, 0x0054),
    Tag(0x0008, 0x0056),
    Tag(0x0008, 0x1190),
    Tag(0x0088, 0x0130),
    Tag(0x0088, 0x0140),
    Tag(0x0008, 0x0053),
];

/// Whether answering calls for stored attributes, because a key or a requested attribute has
/// no column, or everything of instances is wanted.
pub fn needs_attributes(query: &Query) -> bool {
    keys_need(query) || answers_need(query)
}

/// Whether what is answered of instances goes beyond what a search is for: their stored attributes.
pub fn hands_out_attributes(query: &Query) -> bool {
    query.level == Level::Instance && answers_need(query)
}

fn keys_need(query: &Query) -> bool {
    query.keys.iter().any(|key| !is_indexed(key))
}

fn answers_need(query: &Query) -> bool {
    match &query.include {
        Include::All => query.level == Level::Instance,
        Include::Listed(paths) => paths.iter().any(|path| is_stored_only(path)),
    }
}

fn is_stored_only(path: &[Tag]) -> bool {
    attribute::by_path(path).is_none() && !path.first().is_some_and(|tag| OF_THE_DOORS.contains(tag))
}

/// What is wanted of each row.
pub(super) struct Wanted<'a> {
    query: &'a Query,
    scope: &'a Reach,
    /// Keys that columns hold.
    indexed: Vec<&'a Key>,
    /// Keys that only stored attributes answer.
    stored: Vec<&'a Key>,
    /// Derived attributes that a key looks at.
    derived_for_keys: Vec<&'static Attribute>,
    /// Derived attributes that only the answer holds.
    derived_for_answer: Vec<&'static Attribute>,
    load: LoadAttributes<'a>,
    loaded: usize,
}

/// A row that matches.
pub(super) struct Entity {
    ids: Ids,
    attributes: DataSet,
    /// The stored attributes of an instance of it, once loaded.
    stored: Option<DataSet>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(query: &'a Query, scope: &'a Reach, load: LoadAttributes<'a>) -> Wanted<'a> {
        let (indexed, stored): (Vec<&Key>, Vec<&Key>) = query.keys.iter().partition(|key| is_indexed(key));
        let derived = || {
            attribute::ALL
                .iter()
                .filter(|attribute| attribute.level <= query.level && matches!(attribute.kind, Matchable::Derived(_)))
        };
        let is_key = |attribute: &&Attribute| indexed.iter().any(|key| key.path == [attribute.tag]);
        let derived_for_keys: Vec<&Attribute> = derived().filter(is_key).collect();
        let derived_for_answer =
            derived().filter(|attribute| !is_key(attribute) && is_requested(query, attribute.tag)).collect();
        Wanted { query, scope, indexed, stored, derived_for_keys, derived_for_answer, load, loaded: 0 }
    }

    /// The entity of a row, when it matches.
    pub(super) fn entity(&mut self, row: &Row<'_>, connection: &Connection) -> Result<Option<Entity>, IndexError> {
        let levels = Level::ALL.iter().filter(|level| **level <= self.query.level).count();
        let mut attributes = DataSet::new();
        let mut ids = Ids::with_capacity(levels);
        for level in 0..levels {
            let json = row.get_ref(level)?.as_str().map_err(|_| IndexError::Damaged("attributes"))?;
            column::decode(json, &mut attributes)?;
            ids.push(row.get(levels + level)?);
        }
        for attribute in &self.derived_for_keys {
            derived::put(attribute, &ids, self.scope, connection, &mut attributes)?;
        }
        if !self.indexed.iter().all(|key| query::key_matches(key, &attributes)) {
            return Ok(None);
        }
        let mut entity = Entity { ids, attributes, stored: None };
        if !self.stored.is_empty() {
            let stored = self.load(&entity, connection)?;
            if !self.stored.iter().all(|key| query::key_matches(key, &stored)) {
                return Ok(None);
            }
            entity.stored = Some(stored);
        }
        Ok(Some(entity))
    }

    fn load(&mut self, entity: &Entity, connection: &Connection) -> Result<DataSet, IndexError> {
        if self.loaded >= MOST_LOADED {
            return Err(IndexError::TooBroad);
        }
        self.loaded += 1;
        let instance = derived::representative(self.query.level, &entity.ids, self.scope, connection)?;
        Ok(instance.and_then(|instance| (self.load)(&instance)).unwrap_or_default())
    }

    /// What is answered of an entity.
    pub(super) fn answer(&mut self, mut entity: Entity, connection: &Connection) -> Result<DataSet, IndexError> {
        for attribute in &self.derived_for_answer {
            derived::put(attribute, &entity.ids, self.scope, connection, &mut entity.attributes)?;
        }
        let stored = match entity.stored.take() {
            Some(stored) => stored,
            None if answers_need(self.query) => self.load(&entity, connection)?,
            None => DataSet::new(),
        };
        let query = self.query;
        let held =
            entity.attributes.iter().filter(|(tag, _)| is_requested(query, *tag) || is_unique_key(query.level, *tag));
        let held: DataSet = held.map(|(tag, element)| (tag, element.clone())).collect();
        // What the archive counts goes before what an object says of itself.
        let beside = stored.iter().filter(|(tag, _)| match &query.include {
            Include::All => query.level == Level::Instance,
            Include::Listed(paths) => paths.iter().any(|path| path.first() == Some(tag) && is_stored_only(path)),
        });
        let mut answer: DataSet = beside.map(|(tag, element)| (tag, element.clone())).collect();
        for (tag, element) in held.iter().filter(|(tag, _)| !answers_sequence_whole(query, *tag)) {
            answer.put(tag, element.vr, element.value.clone());
        }
        Ok(answer)
    }
}

/// Whether a sequence is answered from stored attributes though columns hold some of it.
fn answers_sequence_whole(query: &Query, tag: Tag) -> bool {
    attribute::by_tag(tag).is_none()
        && match &query.include {
            Include::All => query.level == Level::Instance,
            Include::Listed(paths) => paths.iter().any(|path| path.first() == Some(&tag) && is_stored_only(path)),
        }
}

fn is_requested(query: &Query, tag: Tag) -> bool {
    match &query.include {
        Include::All => true,
        Include::Listed(paths) => paths.iter().any(|path| path.first() == Some(&tag)),
    }
}

fn is_unique_key(level: Level, tag: Tag) -> bool {
    Level::ALL.iter().any(|above| *above <= level && above.unique_key() == tag)
}
