//! One delivery: what is on record of it, beside itself, beside the ledger, and beside what the API says.

use crate::judge::Verdict;
use crate::ledger::{Fate, Pair, Request};
use crate::plan::Manner;
use crate::store::{Attempt, Recorded};
use serde_json::{Value, json};

/// Codes of attempts that had no answer. `deadline`: the connector was still waiting when its call had to end.
const UNANSWERED: [&str; 5] = ["connect-timeout", "connection-closed", "connection-reset", "deadline", "timeout"];

/// A record agrees with itself: codes say what was answered, attempts are numbered without a gap, and the last one, and only it, is the end.
pub fn sound(pair: Pair, recorded: &Recorded) -> Verdict<()> {
    let numbers: Vec<usize> = recorded.attempts.iter().map(|attempt| attempt.n).collect();
    if numbers != (1..=recorded.tries).collect::<Vec<_>>() {
        return Err(format!("{pair}: {} attempts are counted, and on record are {numbers:?}", recorded.tries));
    }
    for attempt in &recorded.attempts {
        let code = attempt.code.as_str();
        let fits = attempt.status.map_or(UNANSWERED.contains(&code), |status| code == format!("http-{status}"));
        if !fits {
            return Err(format!(
                "{pair}: attempt {} was answered {:?}, and has code {code:?}",
                attempt.n, attempt.status
            ));
        }
    }
    let (answer, state) = pair.to.last_answer();
    let ending = recorded.attempts.iter().position(|attempt| attempt.status == Some(answer));
    match (&recorded.end, ending) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(format!("{pair}: an answer {answer} is on record, and it waits")),
        (Some(end), Some(at)) if at + 1 == recorded.tries && end.state == state => {
            if end.code == format!("http-{answer}") {
                return Ok(());
            }
            Err(format!("{pair}: it was answered {answer}, and ended as {:?}", end.code))
        }
        (Some(end), _) => {
            Err(format!("{pair}: it is {}, and was answered [{}]", end.state, answers(&recorded.attempts)))
        }
    }
}

/// Each attempt on record is a request in the ledger with the same answer, in the same order, and each request is on
/// record but for the last, which is then the answer. Only where a destination is down may an attempt fail that the
/// receiver never read.
pub fn beside<'r>(pair: Pair, new: &[Attempt], sent: &[&'r Request]) -> Verdict<Option<&'r Request>> {
    let down = pair.to.manner() == Manner::Down;
    let mut attempts = new.iter().peekable();
    for (index, request) in sent.iter().enumerate() {
        let is_last = index + 1 == sent.len();
        let answer = match request.fate {
            Fate::Answered(status) => Some(status),
            Fate::Open | Fate::Broken => None,
        };
        while down && answer.is_some() && attempts.next_if(|attempt| attempt.status.is_none()).is_some() {}
        let held_on = request.fate == Fate::Open && !down;
        if !held_on && attempts.next_if(|attempt| attempt.status == answer).is_some() {
            continue;
        }
        return match attempts.peek() {
            None if is_last => Ok(Some(request)),
            _ => Err(format!("{pair}: record and ledger differ ({})", told(new, sent))),
        };
    }
    match attempts.find(|attempt| !down || attempt.status.is_some()) {
        Some(_) => Err(format!("{pair}: record and ledger differ ({})", told(new, sent))),
        None => Ok(None),
    }
}

/// The API says what is on record.
pub fn says_so(pair: Pair, recorded: &Recorded, told: &Value) -> Verdict<()> {
    let (Some(end), Some(last)) = (&recorded.end, recorded.attempts.last()) else {
        return Err(format!("{pair}: it ended without an attempt"));
    };
    let wanted = json!([end.state, end.code, recorded.tries, last.code, last.status.map(|status| status.to_string())]);
    let attempt = &told["last_attempt"];
    let said = json!([told["state"], told["code"], told["attempts"], attempt["code"], attempt["status"]]);
    if said == wanted { Ok(()) } else { Err(format!("{pair}: on record is {wanted}, and the API says {said}")) }
}

pub fn told(new: &[Attempt], sent: &[&Request]) -> String {
    let sent: Vec<_> = sent.iter().map(|request| request.fate.to_string()).collect();
    format!("on record [{}], the receiver's [{}]", answers(new), sent.join(", "))
}

fn answers(attempts: &[Attempt]) -> String {
    let answer = |attempt: &Attempt| attempt.status.map_or_else(|| attempt.code.clone(), |status| status.to_string());
    attempts.iter().map(answer).collect::<Vec<_>>().join(", ")
}
