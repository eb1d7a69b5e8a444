//! `leadglass envelope`: how much callers may take.

use clap::Subcommand;
use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{Exit, Output};
use super::peer::percent;

/// Say how much a caller may take, and let go whom the brake held.
#[derive(clap::Args, Debug)]
pub struct Envelope {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Set the envelope of a caller, by the name the trail knows it under.
    Set {
        /// AE title, token's name or user's name.
        caller: String,
        /// Different patients whose images may be opened within an hour.
        #[arg(long, value_name = "N")]
        opened: u64,
        /// Different patients that searches may tell of within an hour.
        #[arg(long, value_name = "N")]
        listed: u64,
        /// Bytes of images that may leave within an hour.
        #[arg(long, value_name = "BYTES")]
        bytes: u64,
        /// Patients, not opened in the thirty days before, that may be opened within a day.
        #[arg(long, value_name = "N")]
        new: u64,
        /// The hours it works in, as 7-19.
        #[arg(long, value_name = "FROM-TO", value_parser = hours)]
        hours: Option<(u8, u8)>,
        /// How far its clock is from UTC, as +01:00; where clocks change twice a year, that of half of it.
        #[arg(long, value_name = "±HH:MM", value_parser = utc_offset, allow_hyphen_values = true, default_value = "+00:00",
              requires = "hours")]
        utc_offset: i16,
        #[command(flatten)]
        connection: Connection,
    },
    /// Go back to what kind and habit leave.
    Unset {
        /// AE title, token's name or user's name.
        caller: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a caller begin anew whom the brake held.
    Release {
        /// AE title, token's name or user's name.
        caller: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// The envelopes that were set.
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

fn hours(text: &str) -> Result<(u8, u8), String> {
    let (from, to) = text.split_once('-').ok_or("hours are FROM-TO, as 7-19")?;
    let hour = |text: &str| text.parse::<u8>().map_err(|_| format!("{text:?} is no hour"));
    Ok((hour(from)?, hour(to)?))
}

/// Minutes east of UTC.
fn utc_offset(text: &str) -> Result<i16, String> {
    let parsed = || {
        let (sign, rest) = text.split_at_checked(1)?;
        let sign = if sign == "+" { 1 } else { -1 };
        let (hours, minutes) = rest.split_once(':').filter(|_| text.starts_with(['+', '-']))?;
        let number = |digits: &str| digits.parse::<u8>().ok().filter(|_| digits.len() == 2 && !digits.starts_with('+'));
        let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
        Some(sign * (i16::from(hours) * 60 + i16::from(minutes)))
    };
    parsed().ok_or_else(|| "it is ±HH:MM, as +01:00".to_owned())
}

impl Envelope {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let path = |caller: &str| format!("/admin/v1/envelopes/{}", percent(caller));
        match self.what {
            What::Set { caller, opened, listed, bytes, new, hours, utc_offset, connection } => {
                let envelope = json!({
                    "patients_opened_an_hour": opened,
                    "patients_listed_an_hour": listed,
                    "bytes_an_hour": bytes,
                    "new_patients_a_day": new,
                    "hours": hours.map(|(from, to)| json!({ "from": from, "to": to, "utc_offset_minutes": utc_offset })),
                });
                connection.api()?.put(&path(&caller), &envelope).await?;
                output.say(&envelope, "set")?;
            }
            What::Unset { caller, connection } => {
                connection.api()?.delete(&path(&caller)).await?;
                output.say(&json!({ "unset": caller }), "unset")?;
            }
            What::Release { caller, connection } => {
                connection.api()?.post(&format!("{}/release", path(&caller)), &Value::Null).await?;
                output.say(&json!({ "released": caller }), "released")?;
            }
            What::List { connection } => {
                let envelopes = connection.api()?.get("/admin/v1/envelopes").await?;
                output.say(&envelopes, table(&envelopes))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn table(envelopes: &Value) -> Table {
    let mut table = Table::new();
    table.set_header(["caller", "opened an hour", "listed an hour", "bytes an hour", "new a day", "hours"]);
    for envelope in envelopes.as_array().into_iter().flatten() {
        let number = |field: &str| envelope[field].to_string();
        let hours = &envelope["hours"];
        let hours = if hours.is_null() { String::new() } else { hours_in_words(hours) };
        table.add_row([
            envelope["caller"].as_str().unwrap_or("").to_owned(),
            number("patients_opened_an_hour"),
            number("patients_listed_an_hour"),
            number("bytes_an_hour"),
            number("new_patients_a_day"),
            hours,
        ]);
    }
    table
}

fn hours_in_words(hours: &Value) -> String {
    let east = hours["utc_offset_minutes"].as_i64().unwrap_or_default();
    let (sign, minutes) = (if east < 0 { '-' } else { '+' }, east.abs());
    format!("{}-{} UTC{sign}{:02}:{:02}", hours["from"], hours["to"], minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_minutes_east_of_utc() {
        for (text, minutes) in [("+01:00", 60), ("-05:30", -330), ("+00:00", 0), ("-00:30", -30), ("+14:00", 840)] {
            assert_eq!(utc_offset(text), Ok(minutes), "{text}");
        }
        for text in ["", "+", "01:00", "+1:00", "+01:60", "+01", "+0x:00", "+-1:00", "++1:00", "é1:00", "+01:00:00"] {
            assert!(utc_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hours_say_whose_clock_they_are_by() {
        let hours = json!({ "from": 7, "to": 19, "utc_offset_minutes": -330 });
        assert_eq!(hours_in_words(&hours), "7-19 UTC-05:30");
    }
}
