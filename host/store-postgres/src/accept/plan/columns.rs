//! What a batch's statements are given: arrays of one length, one for each column.

use std::borrow::Cow;
use uuid::Uuid;

/// One array for each column of the events.
pub struct EventColumns<'a> {
    pub uid: Vec<Uuid>,
    pub tenant: Vec<i64>,
    pub generation: Vec<i64>,
    pub idh: Vec<Option<Uuid>>,
    pub digest: Vec<Uuid>,
    pub id: Vec<Cow<'a, str>>,
    pub event_type: Vec<Cow<'a, str>>,
    pub at: Vec<i64>,
    pub route: Vec<Vec<u8>>,
    pub origin: Vec<i16>,
    pub head: Vec<&'a [u8]>,
    pub payload: Vec<&'a [u8]>,
    pub payload_bytes: Vec<i32>,
    pub low: Vec<Uuid>,
    pub before: Vec<Uuid>,
}

/// One array for each column of the places that are reserved, in the order of destinations.
#[derive(Default)]
pub struct LaneColumns {
    pub destination: Vec<i64>,
    pub count: Vec<i64>,
    pub tenant: Vec<i64>,
}

/// One array for each column of the work rows.
#[derive(Default)]
pub struct WorkColumns {
    pub event: Vec<Uuid>,
    pub destination: Vec<i64>,
    pub tenant: Vec<i64>,
    pub due: Vec<i64>,
    pub lane: Vec<Option<Uuid>>,
    pub seq: Vec<i64>,
    pub origin: Vec<i16>,
    pub bytes: Vec<i32>,
}

/// One array for each column of the fan-outs.
pub struct FanoutColumns {
    pub event: Vec<Uuid>,
    pub tenant: Vec<i64>,
    pub lanes: Vec<Vec<u8>>,
}
