//! Makes inputs from the corpus: changes, cuts, doubles and joins bytes, and inserts words of the target.

/// A source of inputs. Equal seeds make equal inputs.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
    max_len: usize,
}

impl Mutator {
    /// A generator with a seed; inputs have at most `most` bytes.
    pub fn new(seed: u64, most: usize) -> Self {
        Self { state: seed | 1, max_len: most }
    }

    /// An input made from others.
    pub fn make(&mut self, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = self.pick(corpus).cloned().unwrap_or_default();
        for _ in 0..=self.random_below(6) {
            self.change(&mut input, corpus, words);
        }
        input.truncate(self.max_len);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
        let at = self.random_below(input.len() + 1);
        match self.random_below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.random_below(8),
            1 if at < input.len() => input[at] = self.byte(),
            2 => input.insert(at, self.byte()),
            3 if at < input.len() => {
                input.remove(at);
            }
            4 => {
                let word = self.pick(words).copied().unwrap_or_default();
                input.splice(at..at, word.bytes());
            }
            5 => {
                let to = at + self.random_below(input.len() - at + 1);
                input.drain(at..to);
            }
            6 => {
                let to = at + self.random_below(input.len() - at + 1);
                let piece = input[at..to].to_vec();
                let times = 1 + self.random_below(4);
                input.splice(at..at, piece.repeat(times));
            }
            7 => {
                let other = self.pick(corpus).cloned().unwrap_or_default();
                let from = self.random_below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let word = self.pick(words).copied().unwrap_or_default();
                let to = (at + word.len()).min(input.len());
                input.splice(at..to, word.bytes());
            }
        }
    }

    /// Bytes that are special to parsers are more frequent than others.
    fn byte(&mut self) -> u8 {
        const SPECIAL: &[u8] = b"\0\t\r\n \"%&+,-./:;<=>?@[\\]_{|}~\x7f\x80\xc4\xff";
        if self.random_below(2) == 0 {
            self.pick(SPECIAL).copied().unwrap_or(0)
        } else {
            self.next().to_be_bytes()[0]
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let nth = self.random_below(from.len().max(1));
        from.get(nth)
    }

    fn random_below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap_or(0) % most.max(1)
    }

    /// Xorshift: random enough for these choices, and the same on every machine.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}
