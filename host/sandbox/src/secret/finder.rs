//! Finds many texts in one pass: Aho and Corasick's automaton, small and quick to build.
//!
//! Of all texts that end at a place only the longest is told: the others lie within it. So neither time nor memory grows
//! with how often texts contain each other.

use std::collections::VecDeque;
use std::ops::Range;
use zeroize::Zeroizing;

/// Looks for texts, in any case of ASCII letters. Some 13 bytes for each byte of the texts that is not shared.
pub(super) struct Finder {
    /// What leads to a state, from the state before it. States are in order of their depth; those that follow one state
    /// are neighbours, in order of their bytes. The first is the root.
    bytes: Zeroizing<Vec<u8>>,
    /// Where the states that follow begin; they end where those of the next state begin.
    first: Vec<u32>,
    /// The state of the longest end that also begins a text.
    fail: Vec<u32>,
    /// Bytes of the longest text that ends here; 0: none does.
    longest: Vec<u32>,
    /// What follows the root, by byte; 0: nothing.
    root: [u32; 256],
    /// The first state of each depth.
    levels: Vec<u32>,
}

impl Finder {
    /// Of texts that are not empty. More than `u32::MAX` bytes of them cannot be: credentials are bounded.
    pub(super) fn new(mut texts: Vec<Zeroizing<Vec<u8>>>) -> Self {
        texts.iter_mut().for_each(|text| text.make_ascii_lowercase());
        texts.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        texts.dedup_by(|one, other| one.as_slice() == other.as_slice());
        // At its full size from the start: a vector that grows leaves copies.
        let size = texts.iter().map(|text| text.len()).sum::<usize>() + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(0);
        let mut made =
            Self { bytes, first: Vec::new(), fail: vec![0], longest: vec![0], root: [0; 256], levels: Vec::new() };
        made.grow(&texts);
        made
    }

    /// True if there is nothing to find.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() < 2
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity() + 4 * (self.first.capacity() + self.fail.capacity() + self.longest.capacity() + 256)
    }

    /// Every byte that belongs to one of the texts: in order, overlapping and touching ranges as one.
    pub(super) fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut state = 0;
        for (at, byte) in text.iter().enumerate() {
            state = self.step(state, byte.to_ascii_lowercase());
            let length = at_or_0(&self.longest, state);
            if length > 0 {
                let end = at + 1;
                add(&mut found, end.saturating_sub(length as usize)..end);
            }
        }
        found
    }

    /// Bytes at the end of a text that begin one of the texts, which may go on in what comes after it.
    pub(super) fn begun(&self, text: &[u8]) -> usize {
        // What is before that is too far away to be part of it.
        let near = text.get(text.len().saturating_sub(self.levels.len())..).unwrap_or_default();
        let mut state = near.iter().fold(0, |state, byte| self.step(state, byte.to_ascii_lowercase()));
        while state != 0 && at_or_0(&self.first, state) == at_or_0(&self.first, state + 1) {
            state = at_or_0(&self.fail, state); // a whole text: nothing of it is still to come
        }
        self.levels.partition_point(|first| *first <= state).saturating_sub(1)
    }

    /// Builds the states, nearest to the root first. Each stands for a range of the sorted texts: those that begin with it.
    fn grow(&mut self, texts: &[Zeroizing<Vec<u8>>]) {
        let mut open = VecDeque::from([(0..texts.len(), 0_usize)]);
        let mut state = 0_u32;
        while let Some((Range { start, end }, depth)) = open.pop_front() {
            self.first.push(self.next_state());
            if self.levels.len() <= depth {
                self.levels.push(state);
            }
            let of = texts.get(start..end).unwrap_or_default();
            // The one that ends here is the first.
            let mut from = usize::from(of.first().is_some_and(|text| text.len() == depth));
            while let Some(byte) = of.get(from).and_then(|text| text.get(depth)).copied() {
                let rest = of.get(from..).unwrap_or_default();
                let same = rest.partition_point(|text| text.get(depth) == Some(&byte));
                let ends = rest.first().is_some_and(|text| text.len() == depth + 1);
                self.add_state(state, byte, if ends { depth + 1 } else { 0 });
                open.push_back((start + from..start + from + same, depth + 1));
                from += same;
            }
            state += 1;
        }
        self.first.push(self.next_state());
        self.first.shrink_to_fit();
        self.fail.shrink_to_fit();
        self.longest.shrink_to_fit();
    }

    fn add_state(&mut self, before: u32, byte: u8, ends: usize) {
        let fail = if before == 0 { 0 } else { self.step(at_or_0(&self.fail, before), byte) };
        let ends = u32::try_from(ends).unwrap_or(u32::MAX);
        if before == 0
            && let Some(place) = self.root.get_mut(usize::from(byte))
        {
            *place = u32::try_from(self.bytes.len()).unwrap_or(0);
        }
        self.longest.push(if ends > 0 { ends } else { at_or_0(&self.longest, fail) });
        self.bytes.push(byte);
        self.fail.push(fail);
    }

    fn next_state(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn step(&self, mut state: u32, byte: u8) -> u32 {
        while state != 0 {
            match self.follow(state, byte) {
                Some(next) => return next,
                None => state = at_or_0(&self.fail, state),
            }
        }
        self.root.get(usize::from(byte)).copied().unwrap_or(0)
    }

    fn follow(&self, state: u32, byte: u8) -> Option<u32> {
        let first = at_or_0(&self.first, state);
        let following = self.bytes.get(first as usize..at_or_0(&self.first, state + 1) as usize)?;
        let at = match following {
            [one] => (*one == byte).then_some(0),
            more => more.binary_search(&byte).ok(),
        };
        Some(first + u32::try_from(at?).ok()?)
    }
}

/// Adds a range that ends where none before it ends later. Those that it meets become one with it.
pub(super) fn add(found: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    while let Some(last) = found.pop_if(|last| range.start <= last.end) {
        range = last.start.min(range.start)..last.end.max(range.end);
    }
    found.push(range);
}

fn at_or_0(of: &[u32], state: u32) -> u32 {
    of.get(state as usize).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(texts: &[&str]) -> Finder {
        Finder::new(texts.iter().map(|text| Zeroizing::new(text.as_bytes().to_vec())).collect())
    }

    /// What the automaton must find, the slow way.
    fn covered(texts: &[&str], text: &[u8]) -> Vec<bool> {
        let mut all = vec![false; text.len()];
        for one in texts {
            for at in 0..(text.len() + 1).saturating_sub(one.len()) {
                if text[at..at + one.len()].eq_ignore_ascii_case(one.as_bytes()) {
                    all[at..at + one.len()].fill(true);
                }
            }
        }
        all
    }

    #[test]
    fn every_byte_of_every_occurrence_is_found() {
        // Texts of two letters, in texts of two letters: they contain and overlap each other in every way.
        let mut seed = 7_u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        for _ in 0..2_000 {
            let mut word = |longest: u32| -> String {
                let length = 1 + random(longest);
                (0..length).map(|_| if random(2) == 0 { 'a' } else { 'B' }).collect()
            };
            let texts: Vec<String> = (0..5).map(|_| word(9)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let text = word(60);
            let mut found = vec![false; text.len()];
            let ranges = finder(&texts).ranges(text.as_bytes());
            assert!(ranges.windows(2).all(|two| two[0].end < two[1].start), "{ranges:?}");
            for range in ranges {
                found[range].fill(true);
            }
            assert_eq!(found, covered(&texts, text.as_bytes()), "{texts:?} in {text}");
        }
    }

    #[test]
    fn what_may_go_on_is_told() {
        let finder = finder(&["secret-one", "one-two-one", "xsecret"]);
        for (text, begun) in [
            ("", 0),
            ("nothing", 0),
            ("a SECRET-on", 9),
            ("secret-one", 3),
            ("secret-one-t", 5),
            ("xsecret", 6),
            ("one-two-one", 3),
            ("-secret-x", 1),
        ] {
            assert_eq!(finder.begun(text.as_bytes()), begun, "{text}");
        }
        assert_eq!(super::tests::finder(&[]).begun(b"abc"), 0);
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing_to_find() {
        let nothing = finder(&[]);
        assert!(nothing.is_empty() && nothing.ranges(b"abc").is_empty());
        assert!(!finder(&["a"]).is_empty());
        assert!(finder(&["bc"]).ranges(b"").is_empty());
    }

    #[test]
    fn texts_that_contain_each_other_cost_no_more_than_the_longest() {
        let texts: Vec<String> = (8..=172).map(|length| "a".repeat(length)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let nested = finder(&texts);
        assert_eq!(nested.bytes.len(), 173, "a state for each byte of the longest, and the root");
        let found = nested.ranges(&vec![b'a'; 300_000]);
        assert_eq!((found.len(), found.capacity() <= 4, found[0].clone()), (1, true, 0..300_000));
    }
}
