//! What goes over the pipes: the job to the child, and ahead of its compiled code what it answers to.

use std::io::{self, Read, Write};

use crate::limits::Budget;

const JOB: [u8; 8] = *b"thothjob";
const ANSWER: [u8; 8] = *b"thothobj";

/// How a line on the child's stderr begins that says why there is no code.
pub(crate) const FAILURE: &str = "thoth-compile: ";

/// What the child is asked for. The component follows it on the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    /// [`settings`](crate::engine::settings) of the engine that the code is for.
    pub(crate) settings: [u8; 32],
    pub(crate) memory: u64,
    pub(crate) cpu_seconds: u64,
    pub(crate) threads: u64,
    pub(crate) output: u64,
    /// The component's size in bytes.
    pub(crate) size: u64,
}

impl Job {
    pub(crate) fn new(settings: [u8; 32], budget: &Budget, size: usize) -> Self {
        Self {
            settings,
            memory: budget.memory,
            cpu_seconds: budget.cpu_seconds,
            threads: budget.threads,
            output: budget.output,
            size: size as u64,
        }
    }

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&JOB)?;
        to.write_all(&self.settings)?;
        for number in [
            self.memory,
            self.cpu_seconds,
            self.threads,
            self.output,
            self.size,
        ] {
            to.write_all(&number.to_le_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn read(mut from: impl Read) -> io::Result<Self> {
        if bytes(&mut from)? != JOB {
            return Err(io::Error::other("what is on stdin is not a job"));
        }
        Ok(Self {
            settings: bytes(&mut from)?,
            memory: number(&mut from)?,
            cpu_seconds: number(&mut from)?,
            threads: number(&mut from)?,
            output: number(&mut from)?,
            size: number(&mut from)?,
        })
    }
}

/// What stands before the code on the child's stdout. It repeats what was asked, so that the output
/// of another program, or half an answer, is not taken for code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) settings: [u8; 32],
    /// SHA-256 of the component that the child has read.
    pub(crate) component: [u8; 32],
    /// The code's size in bytes.
    pub(crate) size: u64,
}

impl Answer {
    pub(crate) const SIZE: usize = 8 + 32 + 32 + 8;

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&ANSWER)?;
        to.write_all(&self.settings)?;
        to.write_all(&self.component)?;
        to.write_all(&self.size.to_le_bytes())
    }

    pub(crate) fn read(mut from: impl Read) -> io::Result<Self> {
        if bytes(&mut from)? != ANSWER {
            return Err(io::Error::other("what it wrote is not an answer"));
        }
        Ok(Self {
            settings: bytes(&mut from)?,
            component: bytes(&mut from)?,
            size: number(&mut from)?,
        })
    }
}

/// Why the child made no code; the first word of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Invalid,
    Memory,
    Output,
    Settings,
    Internal,
}

impl Failure {
    const ALL: [(Self, &str); 5] = [
        (Self::Invalid, "invalid"),
        (Self::Memory, "memory"),
        (Self::Output, "output"),
        (Self::Settings, "settings"),
        (Self::Internal, "internal"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find_map(|(failure, word)| (failure == self).then_some(word))
            .unwrap_or("internal")
    }

    /// Reads the child's line out of all that it wrote to stderr.
    pub(crate) fn find(stderr: &str) -> Option<(Self, &str)> {
        stderr.lines().find_map(|line| {
            let (word, text) = line.strip_prefix(FAILURE)?.split_once(' ')?;
            Self::ALL
                .into_iter()
                .find_map(|(failure, known)| (known == word).then_some((failure, text)))
        })
    }
}

fn bytes<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    bytes(from).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_an_answer_come_out_as_they_went_in() {
        let job = Job {
            settings: [7; 32],
            memory: 1,
            cpu_seconds: 2,
            threads: 3,
            output: 4,
            size: u64::MAX,
        };
        let mut wire = Vec::new();
        job.write(&mut wire).unwrap();
        assert_eq!(Job::read(wire.as_slice()).unwrap(), job);
        assert!(Answer::read(wire.as_slice()).is_err());

        let answer = Answer {
            settings: [7; 32],
            component: [8; 32],
            size: 9,
        };
        let mut wire = Vec::new();
        answer.write(&mut wire).unwrap();
        assert_eq!(wire.len(), Answer::SIZE);
        assert_eq!(Answer::read(wire.as_slice()).unwrap(), answer);
        assert!(Answer::read(&wire[..Answer::SIZE - 1]).is_err());
    }

    #[test]
    fn a_failure_is_found_among_other_lines() {
        let stderr = "warning\nthoth-compile: invalid at offset 0x9\nmore";
        assert_eq!(
            Failure::find(stderr),
            Some((Failure::Invalid, "at offset 0x9"))
        );
        assert_eq!(Failure::find("thoth-compile: invalid"), None);
        assert_eq!(Failure::find("thoth-compile: odd x"), None);
    }
}
