//! Where a search begins: the key whose index is walked, and with it the order of the rows.
//!
//! The choice depends on the shape of the query alone, so pages of one query fit together.
//! Whatever is chosen, its index yields the order, and reading stops when the page is full:
//! a search for `*an*` among a million studies reads as little as one for a rare name.

use leadglass_dicom::attribute::{self, Attribute, Level};
use leadglass_dicom::datetime::{Date, Range};
use leadglass_dicom::person_name::{FuzzyWord, NamePattern};
use leadglass_dicom::query::{Key, Matching, Query, Token, WildCard};

use super::condition::{alias, form_condition, prefix_range, word_condition};
use crate::access::Reach;
use crate::index::apply::table;
use crate::index::engine::Sql;

/// The days up to which a range of dates is thought to hold less than a name.
const NARROW_DAYS: u32 = 31;

/// Ranks below are of keys that name one or a few.
const NAMED: u8 = 20;

/// The beginning of a statement.
pub(super) struct Plan {
    /// What stands after `FROM`.
    pub(super) from: String,
    /// Conditions on what only the beginning names.
    pub(super) conditions: Vec<String>,
    /// What rows are ordered by, no two alike.
    pub(super) order: Vec<String>,
    /// Whether the order falls.
    pub(super) descending: bool,
    /// Whether the tables, walked as they are joined, yield the order by themselves. The
    /// trigram table gives its rows by rowid, but SQLite would sort them once more.
    pub(super) in_order: bool,
}

/// What a search begins with.
enum Start<'q> {
    /// The level's own table in the order of arrival.
    Table,
    /// A value or a list of a column.
    Equal(&'static Attribute),
    /// A range of a column, newest first.
    Newest(&'static Attribute),
    /// A range of a column, in its order.
    Sorted(&'static Attribute),
    /// The forms of names, in their order.
    Form(&'static Attribute, &'q WildCard),
    /// The names that hold all these texts of three characters or more.
    Trigram(&'static Attribute, Vec<String>),
    /// Names by a word or its sound.
    Word(&'static Attribute, &'q FuzzyWord),
    /// The studies that the scope names.
    ScopedStudies(Vec<&'q str>),
}

impl Plan {
    /// Begins as the query's shape has it, or with `few`, the row ids as a JSON array of all
    /// studies there are to look at. The order of the rows is the same either way.
    pub(super) fn of(query: &Query, scope: &Reach, few: Option<String>, sql: &mut Sql) -> Plan {
        let start: Start<'_> = match best_start(query) {
            Some((rank, start)) if rank < NAMED => start,
            best => match scope.studies().filter(|_| query.level >= Level::Study) {
                Some(studies) => Start::ScopedStudies(studies),
                None => best.map_or(Start::Table, |(_, start)| start),
            },
        };
        match few {
            Some(studies) => Plan::within(studies, start, query.level, sql),
            None => Plan::beginning_with(start, query.level, sql),
        }
    }

    fn beginning_with(start: Start<'_>, level: Level, sql: &mut Sql) -> Plan {
        let first = start.level(level);
        let mut plan = Plan::ordered_by(&start, level, sql);
        let on = |attribute: &Attribute, name: &str| format!(" ON {} = {name}", column(attribute));
        let (before, on) = match start {
            Start::Form(attribute, _) => ("name_form f CROSS JOIN ".into(), on(attribute, "f.name")),
            Start::Trigram(attribute, ref texts) => {
                let texts: Vec<String> =
                    texts.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
                plan.conditions.push(format!("name_trigram MATCH {}", sql.bind(texts.join(" "))));
                plan.in_order = true;
                plan.begin_order_with("x.rowid");
                ("name_trigram x CROSS JOIN ".into(), on(attribute, "x.rowid"))
            }
            Start::Word(attribute, word) => {
                let matches = word_condition("w", word, sql);
                plan.begin_order_with("f.name");
                let names = format!("(SELECT DISTINCT w.name FROM name_word w WHERE {matches}) f CROSS JOIN ");
                (names, on(attribute, "f.name"))
            }
            _ => (String::new(), String::new()),
        };
        plan.from = format!("{before}{} {}{on}", table(first), alias(first));
        plan.join(first, level);
        plan
    }

    /// Looks at few studies, whatever the query names: its keys are asked of them alone.
    fn within(studies: String, start: Start<'_>, level: Level, sql: &mut Sql) -> Plan {
        let mut plan = Plan::ordered_by(&start, level, sql);
        plan.from = format!("json_each({}) k CROSS JOIN study s ON s.id = k.value", sql.bind(studies));
        plan.join(Level::Study, level);
        if let Start::Form(attribute, _) = start {
            plan.from.push_str(&format!(" CROSS JOIN name_form f ON f.name = {}", column(attribute)));
        }
        plan
    }

    /// The order, and the conditions that it or the start needs; no tables yet.
    fn ordered_by(start: &Start<'_>, level: Level, sql: &mut Sql) -> Plan {
        let mut plan =
            Plan { from: String::new(), conditions: Vec::new(), order: Vec::new(), descending: false, in_order: false };
        match start {
            // Of patients and studies the newest are wanted first, of the rest the oldest.
            Start::Table => plan.descending = level <= Level::Study,
            Start::Equal(_) => {}
            Start::ScopedStudies(studies) => {
                plan.conditions.push(format!("s.study_instance_uid IN {}", sql.list(studies.iter().copied())));
            }
            Start::Newest(attribute) | Start::Sorted(attribute) => {
                plan.descending = matches!(start, Start::Newest(_));
                plan.order.push(column(attribute));
            }
            Start::Form(_, pattern) => {
                plan.begin_with_form(pattern, sql);
                plan.order.extend(["f.form".into(), "f.name".into()]);
            }
            Start::Trigram(attribute, _) | Start::Word(attribute, _) => plan.order.push(column(attribute)),
        }
        let first = start.level(level);
        let ids = Level::ALL.into_iter().filter(|one| *one >= first && *one <= level);
        plan.order.extend(ids.map(|one| format!("{}.id", alias(one))));
        plan
    }

    /// The first term, as the table in front has it: it says the same, and its walk can begin there.
    fn begin_order_with(&mut self, term: &str) {
        if let Some(first) = self.order.first_mut() {
            *first = term.into();
        }
    }

    /// A name with several matching forms is found by the first of them.
    fn begin_with_form(&mut self, pattern: &WildCard, sql: &mut Sql) {
        let matching = |alias: &str, sql: &mut Sql| {
            let like = form_condition(alias, pattern, sql);
            let range = prefix_range(&format!("{alias}.form"), &pattern.prefix(), sql);
            range.into_iter().chain([like]).collect::<Vec<_>>().join(" AND ")
        };
        let first = matching("f", sql);
        let earlier = matching("g", sql);
        self.conditions.push(first);
        self.conditions.push(format!(
            "NOT EXISTS (SELECT 1 FROM name_form g WHERE g.name = f.name AND g.form < f.form AND {earlier})"
        ));
    }

    /// Joins the levels above the first by their ids and those below down to the last.
    /// `CROSS JOIN` keeps the tables in this order.
    fn join(&mut self, first: Level, last: Level) {
        for (parent, child) in pairs().rev().filter(|(_, child)| *child <= first) {
            self.from.push_str(&format!(
                " CROSS JOIN {0} {1} ON {1}.id = {2}.{0}",
                table(parent),
                alias(parent),
                alias(child)
            ));
        }
        for (parent, child) in pairs().filter(|(parent, child)| *parent >= first && *child <= last) {
            self.from.push_str(&format!(
                " CROSS JOIN {} {} ON {1}.{} = {}.id",
                table(child),
                alias(child),
                table(parent),
                alias(parent)
            ));
        }
    }
}

impl Start<'_> {
    /// The level of what it begins with, of a query at `level`.
    fn level(&self, level: Level) -> Level {
        match self {
            Start::Table => level,
            Start::ScopedStudies(_) => Level::Study,
            Start::Equal(attribute)
            | Start::Newest(attribute)
            | Start::Sorted(attribute)
            | Start::Form(attribute, _)
            | Start::Trigram(attribute, _)
            | Start::Word(attribute, _) => attribute.level,
        }
    }
}

fn column(attribute: &Attribute) -> String {
    format!("{}.{}", alias(attribute.level), attribute.column)
}

fn pairs() -> impl DoubleEndedIterator<Item = (Level, Level)> {
    Level::ALL.into_iter().zip(Level::ALL.into_iter().skip(1))
}

/// Whether a query names what it looks for by a unique key or an exact ID.
pub(super) fn is_named(query: &Query) -> bool {
    best_start(query).is_some_and(|(rank, _)| rank < NAMED)
}

fn best_start(query: &Query) -> Option<(u8, Start<'_>)> {
    query.keys.iter().filter_map(|key| start_of(key, query.level)).min_by_key(|(rank, _)| *rank)
}

/// How a key could begin a search; the lowest rank is best.
fn start_of(key: &Key, level: Level) -> Option<(u8, Start<'_>)> {
    let attribute = attribute::by_path(&key.path).filter(|attribute| attribute.level <= level)?;
    match (&key.matching, attribute.column) {
        (Matching::ListOfUid(_), _) if attribute.tag == attribute.level.unique_key() => {
            let rank = Level::ALL.iter().rev().position(|level| *level == attribute.level).unwrap_or(0);
            Some((rank as u8, Start::Equal(attribute)))
        }
        (Matching::SingleValue(value), "patient_id" | "accession_number") if !value.trim().is_empty() => {
            Some((10, Start::Equal(attribute)))
        }
        (Matching::SingleValue(value), "study_id") if !value.trim().is_empty() => Some((22, Start::Equal(attribute))),
        (Matching::DateRange(range), "study_date") => {
            of_dates(*range).map(|narrow| (if narrow { 20 } else { 40 }, Start::Newest(attribute)))
        }
        (Matching::DateAndTimeRange { range, .. }, "study_date") => {
            let dates = Range { from: range.from.map(|(date, _)| date), to: range.to.map(|(date, _)| date) };
            of_dates(dates).map(|narrow| (if narrow { 20 } else { 40 }, Start::Newest(attribute)))
        }
        (Matching::DateRange(range), "patient_birth_date") => {
            of_dates(*range).map(|narrow| (if narrow { 30 } else { 42 }, Start::Sorted(attribute)))
        }
        (Matching::WildCard(pattern), "patient_id" | "accession_number") if !pattern.prefix().is_empty() => {
            Some((32, Start::Sorted(attribute)))
        }
        (Matching::PersonName(pattern), "patient_name") => Some((24, of_name(attribute, pattern)?)),
        (Matching::PersonName(pattern), "referring_physician_name") => Some((34, of_name(attribute, pattern)?)),
        _ => None,
    }
}

/// Whether a range of dates is narrow; `None` when it has no end at all.
fn of_dates(range: Range<Date>) -> Option<bool> {
    match (range.from, range.to) {
        (None, None) => None,
        (Some(from), Some(to)) => {
            // Months of 31 days are near enough.
            let days = |date: Date| {
                let number: u32 = date.to_string().parse().unwrap_or(0);
                (number / 10_000) * 372 + (number / 100 % 100) * 31 + number % 100
            };
            Some(days(to).saturating_sub(days(from)) <= NARROW_DAYS)
        }
        _ => Some(false),
    }
}

fn of_name<'q>(attribute: &'static Attribute, pattern: &'q NamePattern) -> Option<Start<'q>> {
    let pattern = match pattern {
        NamePattern::AnyGroup(pattern) => pattern,
        NamePattern::Groups(patterns) => patterns.iter().flatten().max_by_key(|pattern| pattern.prefix().len())?,
        NamePattern::Fuzzy(words) => {
            let longest = words.iter().max_by_key(|word| word.prefix.chars().count())?;
            return (longest.prefix.chars().count() >= 3).then_some(Start::Word(attribute, longest));
        }
    };
    if !pattern.prefix().is_empty() {
        return Some(Start::Form(attribute, pattern));
    }
    let texts = literals(pattern);
    Some(if texts.is_empty() { Start::Form(attribute, pattern) } else { Start::Trigram(attribute, texts) })
}

/// The runs of three or more characters between wild cards.
fn literals(pattern: &WildCard) -> Vec<String> {
    let mut runs = vec![String::new()];
    for token in pattern.tokens() {
        match (token, runs.last_mut()) {
            (Token::Literal(c), Some(run)) => run.push(*c),
            _ => runs.push(String::new()),
        }
    }
    runs.retain(|run| run.chars().count() >= 3);
    runs
}
