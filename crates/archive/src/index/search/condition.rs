//! What one key says of a column: SQL that never leaves out a match. Where SQL cannot say it
//! all, it says less, and the reference evaluator decides.

use leadglass_dicom::attribute::{self, Attribute, Derived, Level, Matchable};
use leadglass_dicom::person_name::{FuzzyWord, NamePattern};
use leadglass_dicom::query::{Key, Matching, Token, WildCard};
use rusqlite::types::Value as Cell;

use crate::access::Reach;
use crate::index::engine::Sql;
use crate::index::scope;

/// Values in one statement beyond which keys are left to the evaluator.
const MOST_VALUES: usize = 20_000;

/// The alias of a level's table.
pub(super) fn alias(level: Level) -> &'static str {
    match level {
        Level::Patient => "p",
        Level::Study => "s",
        Level::Series => "e",
        Level::Instance => "i",
    }
}

/// Whether columns hold all that a key asks of.
pub(super) fn is_indexed(key: &Key) -> bool {
    match (key.path.as_slice(), &key.matching) {
        ([sequence], Matching::Sequence(keys)) => keys
            .iter()
            .all(|inner| matches!(inner.path.as_slice(), [tag] if attribute::by_path(&[*sequence, *tag]).is_some())),
        (path, _) => attribute::by_path(path).is_some(),
    }
}

/// What a key says, as far as SQL can say it.
pub(super) fn of_key(key: &Key, level: Level, limits: &Reach, sql: &mut Sql) -> Option<String> {
    if sql.values.len() > MOST_VALUES {
        return None;
    }
    if let ([sequence], Matching::Sequence(keys)) = (key.path.as_slice(), &key.matching) {
        let inner = keys.iter().filter_map(|inner| {
            let [tag] = inner.path.as_slice() else { return None };
            let attribute = attribute::by_path(&[*sequence, *tag]).filter(|attribute| attribute.level <= level)?;
            of_column(attribute, &inner.matching, sql)
        });
        let inner: Vec<String> = inner.collect();
        return (!inner.is_empty()).then(|| inner.join(" AND "));
    }
    let attribute = attribute::by_path(&key.path).filter(|attribute| attribute.level <= level)?;
    match attribute.kind {
        Matchable::Derived(derived) => of_derived(derived, &key.matching, limits, sql),
        _ => of_column(attribute, &key.matching, sql),
    }
}

/// Modalities and SOP classes of a study, as far as the scope reaches.
fn of_derived(derived: Derived, matching: &Matching, limits: &Reach, sql: &mut Sql) -> Option<String> {
    let condition = match derived {
        Derived::ModalitiesInStudy => of_text("l.modality", matching, false, sql)?,
        Derived::SopClassesInStudy => of_uid("l.sop_class", matching, sql)?,
        Derived::Count(_) => return None,
    };
    let limits = scope::on_label(limits, sql).map(|limits| format!(" AND {limits}")).unwrap_or_default();
    Some(format!(
        "EXISTS (SELECT 1 FROM study_label y JOIN label l ON l.id = y.label WHERE y.study = s.id AND {condition}{limits})"
    ))
}

fn of_column(attribute: &Attribute, matching: &Matching, sql: &mut Sql) -> Option<String> {
    let column = format!("{}.{}", alias(attribute.level), attribute.column);
    if let Matching::MultipleValues(several) = matching {
        let several: Option<Vec<String>> = several.iter().map(|one| of_column(attribute, one, sql)).collect();
        return several.filter(|several| !several.is_empty()).map(|several| format!("({})", several.join(" OR ")));
    }
    match (attribute.kind, matching) {
        // An item without the attribute suffices, whatever other items hold.
        (_, Matching::EmptyValue) if attribute.within.is_some() => None,
        (_, Matching::EmptyValue) => Some(format!("{column} IS NULL")),
        (Matchable::Text, matching) => of_text(&column, matching, attribute.multiple, sql),
        (Matchable::Uid, matching) => of_uid(&column, matching, sql),
        (Matchable::PersonName, Matching::PersonName(pattern)) => Some(of_name(&column, pattern, sql)),
        (Matchable::Date, Matching::DateRange(range)) => {
            between(&column, range.from.map(text), range.to.map(text), sql)
        }
        (Matchable::Date, Matching::DateAndTimeRange { range, .. }) => {
            between(&column, range.from.map(|(date, _)| text(date)), range.to.map(|(date, _)| text(date)), sql)
        }
        (Matchable::Time, Matching::TimeRange(range)) => {
            between(&column, range.from.map(text), range.to.map(text), sql)
        }
        (Matchable::DateTime, Matching::DateTimeRange(range)) => {
            let moment = |moment: leadglass_dicom::datetime::DateTime| Cell::Integer(moment.micros());
            between(&column, range.from.map(moment), range.to.map(moment), sql)
        }
        (Matchable::Integer, Matching::Integer(number)) => Some(format!("{column} = {}", sql.bind(*number))),
        _ => None,
    }
}

fn text(value: impl ToString) -> Cell {
    Cell::Text(value.to_string())
}

/// A range of a column; at least the column has a value.
pub(super) fn between(column: &str, from: Option<Cell>, to: Option<Cell>, sql: &mut Sql) -> Option<String> {
    let from = from.map(|from| format!("{column} >= {}", sql.bind(from)));
    let to = to.map(|to| format!("{column} <= {}", sql.bind(to)));
    let ends: Vec<String> = from.into_iter().chain(to).collect();
    Some(if ends.is_empty() { format!("{column} IS NOT NULL") } else { ends.join(" AND ") })
}

fn of_text(column: &str, matching: &Matching, multiple: bool, sql: &mut Sql) -> Option<String> {
    let trimmed = |value: &str| value.trim_matches([' ', '\0']).to_owned();
    match matching {
        Matching::MultipleValues(several) => {
            let several: Option<Vec<String>> = several.iter().map(|one| of_text(column, one, multiple, sql)).collect();
            several.filter(|several| !several.is_empty()).map(|several| format!("({})", several.join(" OR ")))
        }
        // Empty texts are not kept apart from absent ones.
        Matching::SingleValue(value) if trimmed(value).is_empty() => None,
        Matching::WildCard(pattern) if pattern.matches("") => None,
        Matching::SingleValue(value) if multiple => {
            Some(like(column, &format!("%{}%", escaped(&format!("\\{}\\", trimmed(value)))), sql))
        }
        Matching::SingleValue(value) => Some(format!("{column} = {}", sql.bind(trimmed(value)))),
        Matching::WildCard(pattern) if multiple => {
            let divider = escaped("\\");
            Some(like(column, &format!("%{divider}{}{divider}%", like_pattern(pattern)), sql))
        }
        Matching::WildCard(pattern) => {
            let like = like(column, &like_pattern(pattern), sql);
            Some(match prefix_range(column, &pattern.prefix(), sql) {
                Some(range) => format!("{range} AND {like}"),
                None => like,
            })
        }
        _ => None,
    }
}

fn of_uid(column: &str, matching: &Matching, sql: &mut Sql) -> Option<String> {
    match matching {
        Matching::ListOfUid(uids) => Some(format!("{column} IN {}", sql.list(uids.iter().map(|uid| uid.as_str())))),
        _ => None,
    }
}

/// A name of the column's entry in the dictionary matches.
fn of_name(column: &str, pattern: &NamePattern, sql: &mut Sql) -> String {
    let conditions: Vec<String> = match pattern {
        NamePattern::AnyGroup(pattern) => vec![has_form(column, pattern, sql)],
        NamePattern::Groups(patterns) => {
            patterns.iter().flatten().map(|pattern| has_form(column, pattern, sql)).collect()
        }
        NamePattern::Fuzzy(words) => words
            .iter()
            .map(|word| {
                let matches = word_condition("w", word, sql);
                format!("EXISTS (SELECT 1 FROM name_word w WHERE w.name = {column} AND {matches})")
            })
            .collect(),
    };
    conditions.join(" AND ")
}

fn has_form(column: &str, pattern: &WildCard, sql: &mut Sql) -> String {
    let matches = form_condition("g", pattern, sql);
    format!("EXISTS (SELECT 1 FROM name_form g WHERE g.name = {column} AND {matches})")
}

/// A form of a name matches a pattern.
pub(super) fn form_condition(alias: &str, pattern: &WildCard, sql: &mut Sql) -> String {
    like(&format!("{alias}.form"), &like_pattern(pattern), sql)
}

/// A word of a name, or its sound, matches a fuzzy word.
pub(super) fn word_condition(alias: &str, word: &FuzzyWord, sql: &mut Sql) -> String {
    let column = format!("{alias}.word");
    let prefix = prefix_range(&column, &word.prefix, sql).unwrap_or_else(|| "1 = 1".into());
    match &word.sound {
        Some(sound) => format!("(({prefix}) OR {column} = {})", sql.bind(format!("={sound}"))),
        None => format!("({prefix})"),
    }
}

/// The column begins with the prefix, as a range that an index serves. `None` without prefix.
pub(super) fn prefix_range(column: &str, prefix: &str, sql: &mut Sql) -> Option<String> {
    if prefix.is_empty() {
        return None;
    }
    // No character is greater than U+10FFFF.
    let (from, to) = (sql.bind(prefix.to_owned()), sql.bind(format!("{prefix}\u{10FFFF}")));
    Some(format!("{column} >= {from} AND {column} <= {to}"))
}

fn like(column: &str, pattern: &str, sql: &mut Sql) -> String {
    format!("{column} LIKE {} ESCAPE '\\'", sql.bind(pattern.to_owned()))
}

/// A pattern in SQL's form.
fn like_pattern(pattern: &WildCard) -> String {
    let mut like = String::new();
    for token in pattern.tokens() {
        match token {
            Token::Any => like.push('%'),
            Token::One => like.push('_'),
            Token::Literal(c) => escape(*c, &mut like),
        }
    }
    like
}

fn escaped(literal: &str) -> String {
    let mut like = String::new();
    literal.chars().for_each(|c| escape(c, &mut like));
    like
}

fn escape(c: char, like: &mut String) {
    if matches!(c, '%' | '_' | '\\') {
        like.push('\\');
    }
    like.push(c);
}
