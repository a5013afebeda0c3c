//! Secrets and environment variables by name. Their values are read by whoever uses them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::words::shown;

/// A secret's name: `[a-z0-9_-]`, 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let is_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if !(1..=64).contains(&text.len()) || !text.bytes().all(is_name) {
            return Err(BadSecret::Name(shown(text)));
        }
        Ok(Self(text.into()))
    }
}

/// Where a secret's value comes from: never the command line, an environment variable or a
/// configuration file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The content of a file, without its last line ending.
    File(PathBuf),
    /// What a program prints, without its last line ending; the program and its arguments, at least
    /// the program. No shell reads them.
    Command(Vec<String>),
}

/// Why a secret cannot be one. The text after `=` is not repeated: it may be the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Not of the form of the flag.
    #[error(
        "a secret is NAME=file:PATH or NAME=command:PROGRAM: write it as \
         `github=file:/run/secrets/github` or `github=command:pass show github`"
    )]
    Form,
    /// Other characters than a name has.
    #[error("`{0}` cannot be a secret's name: use a-z, 0-9, `_` and `-`, at most 64 of them")]
    Name(String),
    /// `file:` without a path.
    #[error("the secret `{0}` names no file: write it as `{0}=file:/run/secrets/{0}`")]
    NoFile(SecretName),
    /// `command:` without a program.
    #[error("the secret `{0}` names no program: write it as `{0}=command:pass show {0}`")]
    NoProgram(SecretName),
}

/// A secret as a flag names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFlag {
    /// What placeholders call it.
    pub name: SecretName,
    /// Where its value comes from.
    pub source: SecretSource,
}

impl FromStr for SecretFlag {
    type Err = BadSecret;

    /// `NAME=file:PATH` or `NAME=command:PROGRAM ARGUMENT…`. Arguments are parted at white space and
    /// not unquoted; one with a space in it can be written in `thoth.toml`.
    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let (name, source) = text.split_once('=').ok_or(BadSecret::Form)?;
        let name: SecretName = name.parse()?;
        let source = match source.split_once(':') {
            Some(("file", "")) => return Err(BadSecret::NoFile(name)),
            Some(("file", path)) => SecretSource::File(path.into()),
            Some(("command", line)) => {
                let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                if words.is_empty() {
                    return Err(BadSecret::NoProgram(name));
                }
                SecretSource::Command(words)
            }
            _ => return Err(BadSecret::Form),
        };
        Ok(Self { name, source })
    }
}

/// Why an environment variable cannot be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadVariable {
    /// Not a name; an assignment, for instance.
    #[error(
        "`{0}` is not the name of an environment variable: write it as `LANG`, without a value"
    )]
    Name(String),
    /// One of this program's own.
    #[error("`{0}` is this program's own, and may hold a key: a tool cannot be granted it")]
    Own(String),
}

/// The name of an environment variable that may be granted: `[A-Za-z_][A-Za-z0-9_]*`, at most 128
/// characters. Those that begin with `THOTH_` may not: the API key is one of them.
///
/// # Errors
///
/// [`BadVariable`] says which it is.
pub fn environment_name(text: &str) -> Result<String, BadVariable> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !(1..=128).contains(&text.len())
        || !text.bytes().all(is_name)
        || text.starts_with(|first: char| first.is_ascii_digit())
    {
        return Err(BadVariable::Name(shown(
            text.split('=').next().unwrap_or_default(),
        )));
    }
    if text.to_ascii_uppercase().starts_with("THOTH_") {
        return Err(BadVariable::Own(shown(text)));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_names_a_secret_and_where_it_is() {
        let flag: SecretFlag = "github=file:/run/secrets/git:hub".parse().unwrap();
        assert_eq!(flag.name.as_str(), "github");
        assert_eq!(
            flag.source,
            SecretSource::File("/run/secrets/git:hub".into())
        );
        let flag: SecretFlag = "a-1_b=command:pass  show x=y".parse().unwrap();
        let words = ["pass", "show", "x=y"].map(String::from).to_vec();
        assert_eq!(flag.source, SecretSource::Command(words));
    }

    #[test]
    fn a_value_in_a_flag_is_refused_and_never_repeated() {
        for (flag, words) in [
            ("github", "NAME=file:PATH"),
            ("github=hunter2", "NAME=file:PATH"),
            ("github=value:hunter2", "NAME=file:PATH"),
            ("github=file:", "names no file"),
            ("github=command:", "names no program"),
            ("github=command:  ", "names no program"),
            ("GitHub=file:/hunter2", "`GitHub` cannot be a secret's name"),
            ("=file:/hunter2", "`` cannot be a secret's name"),
            ("{{x}}=file:/hunter2", "cannot be a secret's name"),
        ] {
            let error = flag.parse::<SecretFlag>().expect_err(flag).to_string();
            assert!(error.contains(words), "{flag}: {error}");
            assert!(!error.contains("hunter2"), "{flag}: {error}");
        }
        assert!("a".repeat(64).parse::<SecretName>().is_ok());
        assert!("a".repeat(65).parse::<SecretName>().is_err());
    }

    #[test]
    fn a_variable_is_granted_by_name() {
        assert_eq!(environment_name("LANG"), Ok("LANG".into()));
        for (name, words) in [
            ("", "is not the name"),
            ("1A", "is not the name"),
            ("A B", "is not the name"),
            (
                "LANG=hunter2",
                "`LANG` is not the name of an environment variable",
            ),
            ("LC_*", "is not the name"),
            ("THOTH_API_KEY", "is this program's own"),
            ("Thoth_Api_Key", "is this program's own"),
        ] {
            let error = environment_name(name).expect_err(name).to_string();
            assert!(error.contains(words), "{name}: {error}");
            assert!(!error.contains("hunter2"), "{name}: {error}");
        }
    }
}
