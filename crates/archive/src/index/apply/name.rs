//! The dictionary of names: each spelling once, with the forms it is searched by.

use leadglass_dicom::person_name::search_keys;
use rusqlite::params;

use super::Batch;
use crate::index::IndexError;

impl Batch<'_> {
    /// The id of a name, or of several divided by backslashes.
    pub(super) fn name(&mut self, raw: &str) -> Result<i64, IndexError> {
        if let Some(known) = self.known.names.get(raw) {
            return Ok(*known);
        }
        let id = match self.id("SELECT id FROM name WHERE raw = $1", params![raw])? {
            Some(id) => id,
            None => self.new_name(raw)?,
        };
        self.known.names.insert(raw.to_owned(), id);
        Ok(id)
    }

    fn new_name(&mut self, raw: &str) -> Result<i64, IndexError> {
        self.run("INSERT INTO name (raw) VALUES ($1)", params![raw])?;
        let id = self.transaction.last_insert_rowid();
        let (forms, words) = forms_and_words(raw);
        for form in &forms {
            self.run("INSERT INTO name_form (form, name) VALUES ($1, $2)", params![form, id])?;
        }
        for word in &words {
            self.run("INSERT INTO name_word (word, name) VALUES ($1, $2)", params![word, id])?;
        }
        self.run("INSERT INTO name_trigram (rowid, forms) VALUES ($1, $2)", params![id, forms.join("\n")])?;
        Ok(id)
    }

    /// Forgets the names that nothing refers to any longer.
    pub(super) fn forget_names(&mut self, names: &[i64]) -> Result<(), IndexError> {
        for name in names {
            let used = self.id(super::removal::NAME_IS_USED, params![name])?;
            if used.is_none() {
                for sql in [
                    "DELETE FROM name_form WHERE name = $1",
                    "DELETE FROM name_word WHERE name = $1",
                    "DELETE FROM name_trigram WHERE rowid = $1",
                    "DELETE FROM name WHERE id = $1",
                ] {
                    self.run(sql, params![name])?;
                }
            }
        }
        Ok(())
    }
}

/// The distinct component groups, and the distinct words with their sounds after `=`, of all
/// names that backslashes divide.
fn forms_and_words(raw: &str) -> (Vec<String>, Vec<String>) {
    let (mut forms, mut words) = (Vec::new(), Vec::new());
    for keys in raw.split('\\').map(search_keys) {
        for group in keys.groups().into_iter().filter(|group| !group.is_empty()) {
            forms.push(group.to_owned());
            words.extend(group.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        }
        words.extend(keys.sounds.split(' ').filter(|sound| !sound.is_empty()).map(|sound| format!("={sound}")));
    }
    for list in [&mut forms, &mut words] {
        list.sort_unstable();
        list.dedup();
    }
    (forms, words)
}
