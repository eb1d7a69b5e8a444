//! The index against a model of it: the reference evaluator over every header.

mod agreement;
mod model;
mod pages;
mod records;

use leadglass_dicom::attribute::{self, Level};

use super::column;
use super::engine::Engine;
use model::key;

#[test]
fn every_attribute_has_its_column() {
    let directory = tempfile::tempdir().unwrap();
    let (_, connection) = Engine::open(&directory.path().join("index"), &key()).unwrap();
    for level in Level::ALL {
        for attribute in column::columns(level) {
            let sql = format!("SELECT {} FROM {}", attribute.column, super::apply::table(level));
            assert!(connection.prepare(&sql).is_ok(), "{}", attribute.keyword);
        }
    }
    assert!(attribute::ALL.len() > 60);
}
