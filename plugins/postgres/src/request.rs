//! What is sent for events: rows as columns of a statement's parameters. Pure: the same events, the same bytes.

use crate::config::Config;
use crate::protocol::frontend::{Array, Element, Parameter, Piece, SYNC, push_bytes, statement};
use crate::sql::Table;
use railhead_sdk::row::timestamp;
use railhead_sdk::types::Event;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A row to be.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Of its event in the call: by it the host puts the data in.
    pub index: u32,
    pub event: &'a Event,
    /// When the host accepted it, in milliseconds since 1970.
    accepted_ms: u64,
    payload: Payload,
}

/// How data becomes JSON, as in every table and file of Railhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// There is none: NULL.
    Absent,
    /// It is JSON: its own bytes.
    Json,
    /// A string in base64; the metadata say so.
    Base64,
}

impl<'a> Row<'a> {
    pub fn of(index: u32, event: &'a Event, accepted_ms: u64) -> Self {
        let payload = if event.data.is_empty() {
            Payload::Absent
        } else if event.is_json() {
            Payload::Json
        } else {
            Payload::Base64
        };
        Self { index, event, accepted_ms, payload }
    }

    /// The host's id: the same at every attempt and replay.
    pub fn uid(&self) -> &'a str {
        self.event.uid()
    }

    /// The same at every attempt and replay, too.
    fn received_at(&self) -> String {
        timestamp(self.accepted_ms)
    }

    /// What has no column of its own. As [`railhead_sdk::row::metadata`], which would look at the data again.
    fn metadata(&self) -> Value {
        let mut metadata = json!({ "content_type": self.event.content_type });
        if let Some(subject) = &self.event.subject {
            metadata["subject"] = subject.as_str().into();
        }
        let attributes: Map<_, _> =
            self.event.extensions().map(|(name, value)| (name.to_owned(), value.into())).collect();
        if !attributes.is_empty() {
            metadata["attributes"] = attributes.into();
        }
        if self.payload == Payload::Base64 {
            metadata["payload_encoding"] = "base64".into();
        }
        metadata
    }
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    pub table: Table,
    pub rows: Vec<Row<'a>>,
}

/// Sorts events by table, and rows by their ids: sessions that write the same rows then lock them in one order, and
/// wait for each other instead of for ever.
pub fn groups<'a>(config: &Config, rows: impl IntoIterator<Item = Row<'a>>) -> Vec<Group<'a>> {
    let mut tables: BTreeMap<Table, Vec<Row<'a>>> = BTreeMap::new();
    for row in rows {
        tables.entry(Table::of(config, &row.event.type_)).or_default().push(row);
    }
    let group = |(table, mut rows): (Table, Vec<Row<'a>>)| {
        rows.sort_by_key(Row::uid);
        Group { table, rows }
    };
    tables.into_iter().map(group).collect()
}

impl Group<'_> {
    /// Takes its second half out.
    pub fn split(&mut self) -> Self {
        let rows = self.rows.split_off(self.rows.len() / 2);
        Self { table: self.table.clone(), rows }
    }

    /// Indexes of its events in the call.
    pub fn indexes(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.index).collect()
    }

    /// One array a column.
    pub fn parameters(&self) -> Vec<Parameter> {
        let texts: [fn(&Event) -> &str; 6] = [
            |event| event.uid(),
            |event| &event.id,
            |event| &event.type_,
            |event| &event.time,
            |event| &event.tenant,
            |event| &event.source,
        ];
        let mut parameters: Vec<Parameter> = texts.into_iter().map(|column| self.column(column)).collect();
        parameters.push(self.payloads());
        let mut metadata = Array::new(Element::Jsonb, self.rows.len());
        self.rows.iter().for_each(|row| metadata.push(row.metadata().to_string().as_bytes()));
        parameters.push(metadata.finish());
        let mut received = Array::new(Element::Text, self.rows.len());
        self.rows.iter().for_each(|row| received.push(row.received_at().as_bytes()));
        parameters.push(received.finish());
        parameters
    }

    fn column(&self, value: fn(&Event) -> &str) -> Parameter {
        let mut column = Array::new(Element::Text, self.rows.len());
        self.rows.iter().for_each(|row| column.push(value(row.event).as_bytes()));
        column.finish()
    }

    fn payloads(&self) -> Parameter {
        let mut column = Array::new(Element::Jsonb, self.rows.len());
        for row in &self.rows {
            let data = (row.index, row.event.data.len());
            match row.payload {
                Payload::Absent => column.push_null(),
                Payload::Json => column.push_data(data),
                Payload::Base64 => column.push_base64(b"\"", data, b"\""),
            }
        }
        column.finish()
    }

    /// What the record shows of it: the statement, and its first rows; of data only that it stands there, so that it goes
    /// when the event is erased.
    pub fn shown(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().take(SHOWN_ROWS).map(shown_row).collect();
        let mut shown = json!({ "sql": self.table.insert(), "rows": self.rows.len(), "parameters": rows });
        if self.rows.len() > SHOWN_ROWS {
            shown["parameters_left_out"] = (self.rows.len() - SHOWN_ROWS).into();
        }
        shown
    }
}

/// Rows whose parameters are shown: a record has 64 KiB.
const SHOWN_ROWS: usize = 20;

fn shown_row(row: &Row<'_>) -> Value {
    let Row { index, event, payload, .. } = row;
    let payload = match payload {
        Payload::Absent => Value::Null,
        Payload::Json => json!({ "event_data": index, "bytes": event.data.len() }),
        Payload::Base64 => json!({ "event_data_base64": index, "bytes": event.data.len() }),
    };
    json!({
        "event_id": event.uid(), "id": event.id, "event_type": event.type_, "occurred_at": event.time,
        "tenant": event.tenant, "source": event.source, "payload": payload, "metadata": row.metadata(),
        "received_at": row.received_at(),
    })
}

/// Statements of a transaction before those of its groups.
pub const BEFORE_GROUPS: usize = 3;

/// A transaction up to its end, all of it in one go. It stays open: what the statements came to decides how it ends. The
/// server gives a statement up after so long, so that none goes on there when nobody waits for it, and keeps notices to
/// itself: a trigger may have one for each row. Both hold for the transaction, so that a pooler's connection is left as it was.
pub fn transaction(groups: &[Group<'_>], timeout_ms: u32) -> Vec<Piece> {
    let mut out = Vec::new();
    statement(&mut out, "BEGIN", Vec::new());
    statement(&mut out, &format!("SET LOCAL statement_timeout = {timeout_ms}"), Vec::new());
    statement(&mut out, "SET LOCAL client_min_messages = error", Vec::new());
    for group in groups {
        statement(&mut out, &group.table.insert(), group.parameters());
    }
    push_bytes(&mut out, &SYNC);
    out
}

#[cfg(test)]
mod tests;
