//! What a `thoth.toml` says, and where it is told that it is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use thoth_grants::{Access, Annotations, Bytes, Config, ConfigError, SecretSource};

/// A folder with a component, another one, folders and a file.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        for name in ["docs_search.wasm", "other.wasm", "file"] {
            fs::write(path.join(name), "").unwrap();
        }
        fs::create_dir_all(path.join("docs/sub")).unwrap();
        fs::create_dir(path.join("out")).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn parse(&self, text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, &self.path)
    }
}

const WHOLE: &str = r#"
policy = "policy.cedar"
state_dir = "/var/lib/thoth"
tenant = "acme"
agent = "a"
user = "u"
mode = "step_up"
environment = "dev"
timeout = "5s"
scope = ["search_docs"]
session = { calls = 100, time = "1h", fuel = 1_000_000_000 }

[secrets.github]
file = "secrets/github"

[secrets.other]
command = ["pass", "show", "a b"]

[secrets.local]
command = ["./bin/secret"]

[tools.docs]
component = "docs_search.wasm"
sha256 = "E3B0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
environment = ["LANG", "TZ"]
secrets = ["github"]

[tools.docs.limits]
time = "30s"
fuel = 50_000_000_000
memory = "256MiB"
table_elements = 1
instances = 2
handles = 3
resources = 4
hostcall = "16MiB"
random = "64KiB"
output = "64KiB"
result = "256KiB"
requests = 0
request_bytes = "8MiB"
response_bytes = "8MiB"
open_files = 128
write_bytes = "64MiB"

[[tools.docs.network]]
url = "https://api.example.com/v1/*"
methods = ["GET"]
headers = ["authorization"]
govern = true

[[tools.docs.network]]
url = "http://localhost:8080/*"
allow_private = true

[[tools.docs.files]]
host = "./docs"
guest = "/docs"
access = "read-only"

[[tools.docs.files]]
host = "out"
guest = "/out/"
access = "read-write"
govern = true

[tools.second]
component = "./docs/../other.wasm"
"#;

#[test]
fn every_setting_is_read() {
    let place = Place::new();
    let config = place.parse(WHOLE).unwrap();
    let settings = &config.settings;
    assert_eq!(settings.policy, Some(place.path.join("policy.cedar")));
    assert_eq!(settings.state_dir, Some("/var/lib/thoth".into()));
    assert_eq!(settings.timeout, Some(Duration::from_secs(5)));
    assert_eq!(settings.scope, Some(vec!["search_docs".into()]));
    assert_eq!(settings.mode.unwrap().as_str(), "step_up");
    assert_eq!(settings.environment.as_deref(), Some("dev"));
    assert_eq!(settings.session.calls, Some(100));
    assert_eq!(settings.session.time, Some(Duration::from_secs(3_600)));
    assert_eq!(settings.session.fuel, Some(1_000_000_000));

    let source = |name: &str| config.secrets.get(&name.parse().unwrap()).unwrap().clone();
    assert_eq!(
        source("github"),
        SecretSource::File(place.path.join("secrets/github"))
    );
    assert_eq!(
        source("other"),
        SecretSource::Command(vec!["pass".into(), "show".into(), "a b".into()])
    );
    let program = place.path.join("./bin/secret").display().to_string();
    assert_eq!(source("local"), SecretSource::Command(vec![program]));

    let docs = config.tool(&place.path.join("docs_search.wasm")).unwrap();
    assert_eq!(docs.label, "docs");
    assert_eq!(docs.sha256.unwrap()[..2], [0xe3, 0xb0]);
    assert_eq!(docs.limits.time, Some(Duration::from_secs(30)));
    assert_eq!(docs.limits.memory, Some(Bytes(256 << 20)));
    assert_eq!(docs.limits.fuel, Some(50_000_000_000));
    assert_eq!(docs.limits.requests, Some(0));
    assert_eq!(docs.limits.write_bytes, Some(Bytes(64 << 20)));
    assert_eq!(docs.grants.files[1].access, Access::ReadWrite);
    let at = |name: &str| place.path.join(name).display().to_string();
    assert_eq!(
        docs.grants.to_string(),
        format!(
            "network      GET https://api.example.com:443/v1/*  header authorization  governed\n\
             network      GET,HEAD http://localhost:8080/*  private addresses too\n\
             files        /docs = {}  read-only\n\
             files        /out = {}  read-write  governed\n\
             environment  LANG\n\
             environment  TZ\n\
             secret       github",
            at("docs"),
            at("out")
        )
    );
    let line = |text: &str| WHOLE.lines().position(|line| line == text).unwrap() + 1;
    assert_eq!(docs.lines.tool, line("[tools.docs]"));
    assert_eq!(docs.lines.network[0], line("[[tools.docs.network]]"));
    assert_eq!(docs.lines.files[0], line("[[tools.docs.files]]"));
    assert_eq!(docs.lines.secrets, line("secrets = [\"github\"]"));

    let second = config.tool(&place.path.join("other.wasm")).unwrap();
    assert_eq!(second.grants.to_string(), "nothing");
    assert_eq!(config.tool(&place.path.join("file")), None);
}

#[test]
fn what_is_said_of_one_function_counts_before_what_is_said_of_all() {
    let place = Place::new();
    let text = "[tools.docs]\ncomponent = \"docs_search.wasm\"\n\
        annotations = { readOnlyHint = true, openWorldHint = false }\n\
        [tools.docs.functions.remove_doc]\n\
        annotations = { title = \"Remove it\", destructiveHint = true, idempotentHint = true }\n";
    let config = place.parse(text).unwrap();
    let annotations = &config.tools[0].annotations;
    let all = Annotations {
        read_only: Some(true),
        open_world: Some(false),
        ..Annotations::default()
    };
    assert_eq!(annotations.of("search_docs"), all);
    // What destroys is not read-only, whatever was said of the others.
    let one = Annotations {
        title: Some("Remove it".into()),
        read_only: None,
        destructive: Some(true),
        idempotent: Some(true),
        open_world: Some(false),
    };
    assert_eq!(annotations.of("remove_doc"), one);
    assert_eq!(annotations.unknown(&["remove_doc", "search_docs"]), None);
    assert_eq!(
        annotations.unknown(&["search_docs"]),
        Some(("remove_doc", 4))
    );
}

#[test]
fn an_empty_file_grants_nothing() {
    let config = Place::new().parse("").unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn what_a_component_cannot_use_is_a_warning_with_its_line() {
    let config = Place::new().parse(WHOLE).unwrap();
    let docs = &config.tools[0];
    let warnings: Vec<_> = docs
        .unused(&["wasi:cli/environment@0.2.3"])
        .iter()
        .map(ToString::to_string)
        .collect();
    let [network, files, secrets] = [
        docs.lines.network[0],
        docs.lines.files[0],
        docs.lines.secrets,
    ];
    assert_eq!(
        warnings,
        [
            format!(
                "line {network}: network is granted, but the component does not import \
                 `wasi:http/outgoing-handler`"
            ),
            format!(
                "line {files}: files are granted, but the component does not import \
                 `wasi:filesystem/preopens`"
            ),
            format!(
                "line {secrets}: secrets are granted, but no request of the component's can carry one"
            ),
        ]
    );
}

#[test]
fn what_is_wrong_is_named_with_line_and_column() {
    let place = Place::new();
    let tool = "[tools.docs]\ncomponent = \"docs_search.wasm\"\n";
    let rows: &[(&str, &str)] = &[
        // The format.
        ("tenant = 1", "1:10: expected a string, found an integer"),
        ("tenant = \" \"", "1:10: the string is empty"),
        ("tenant = \"a\\u0000b\"", "1:10: the string has a NUL"),
        ("tenant = ", "1:"),
        ("tenant = \"a\"\ntenant = \"b\"", "2:1: duplicate key"),
        (
            "tenat = \"a\"",
            "1:1: there is no key `tenat` here: did you mean `tenant`?",
        ),
        ("x = 1", "1:1: there is no key `x` here: there are policy, "),
        (
            "\"a\\u001b[2J\" = 1",
            "1:1: there is no key `a\\u{1b}[2J` here",
        ),
        ("tools = 1", "1:9: expected a table, found an integer"),
        ("tools = []", "1:9: expected a table, found a list"),
        // Settings.
        (
            "policy = \"a\"\nenforcer_url = \"b\"",
            "2:16: `policy` and `enforcer_url` exclude",
        ),
        ("timeout = \"5\"", "1:11: `5` is not a duration"),
        ("timeout = \"0s\"", "1:11: the time is not between"),
        (
            "timeout = \"11m\"",
            "1:11: the deadline of a policy call is at most 10m",
        ),
        (
            "mode = \"obsrve\"",
            "1:8: unknown enforcement mode `obsrve`",
        ),
        (
            "session.call = 1",
            "1:9: there is no key `call` here: did you mean `calls`?",
        ),
        ("session.calls = 0", "1:17: a budget of 0 lets nothing run"),
        ("session.time = \"25h\"", "1:16: the time is not between"),
        ("scope = \"a\"", "1:9: expected a list"),
        ("scope = [\"a\", 1]", "1:15: expected a string"),
        // Secrets.
        (
            "[secrets.GitHub]\nfile = \"a\"",
            "1:10: `GitHub` cannot be a secret's name",
        ),
        (
            "[secrets.a]",
            "1:1: a secret has either a `file` or a `command`",
        ),
        (
            "[secrets.a]\nfile = \"a\"\ncommand = [\"b\"]",
            "1:1: a secret has either",
        ),
        (
            "[secrets.a]\nvalue = \"x\"",
            "2:1: there is no key `value` here: there are file, command",
        ),
        ("[secrets.a]\ncommand = []", "2:11: the command is empty"),
        (
            "[secrets.a]\ncommand = \"pass show a\"",
            "2:11: expected a list",
        ),
        // Tools.
        ("[tools.docs]", "1:1: the key `component` is missing"),
        (
            "[tools.docs]\ncomponent = \"none.wasm\"",
            "2:13: cannot find the component",
        ),
        (
            "[tools.docs]\ncomponent = \"docs\"",
            "2:13: the component is not a regular file",
        ),
        ("[tools.\"a\\nb\"]", "1:1: `a\\nb` cannot be a tool's label"),
        (
            "[tools.a]\ncomponent = \"other.wasm\"\n[tools.b]\ncomponent = \"docs/../other.wasm\"",
            "3:1: the component of `b` is that of `a` too",
        ),
    ];
    let in_tool: &[(&str, &str)] = &[
        ("sha256 = \"abc\"", "3:10: a SHA-256 digest is 64"),
        ("sha256 = \"é\"", "3:10: a SHA-256 digest is 64"),
        ("nets = 1", "3:1: there is no key `nets` here"),
        (
            "environment = [\"A=b\"]",
            "3:16: `A` is not the name of an environment variable",
        ),
        (
            "environment = [\"THOTH_API_KEY\"]",
            "3:16: `THOTH_API_KEY` is this program's own",
        ),
        ("environment = [\"A\", \"A\"]", "3:21: `A` is granted twice"),
        (
            "secrets = [\"github\"]",
            "3:12: there is no secret `github`",
        ),
        // Annotations.
        (
            "annotations.readonlyHint = true",
            "3:13: there is no key `readonlyHint` here: did you mean `readOnlyHint`?",
        ),
        (
            "functions.search.annotations.destructivHint = true",
            "3:30: there is no key `destructivHint` here: did you mean `destructiveHint`?",
        ),
        (
            "functions.search.title = \"a\"",
            "3:18: there is no key `title` here: there are annotations",
        ),
        (
            "functions.search = {}",
            "3:20: the key `annotations` is missing",
        ),
        (
            "annotations.readOnlyHint = \"yes\"",
            "3:28: expected true or false, found a string",
        ),
        (
            "annotations.title = \"a\\nb\"",
            "3:21: `a\\nb` cannot be a title",
        ),
        (
            "annotations = { readOnlyHint = true, destructiveHint = true }",
            "3:15: `readOnlyHint` and `destructiveHint` exclude each other",
        ),
        // Limits.
        ("limits.memory = \"256MB?\"", "3:17: `256MB?` is not a size"),
        (
            "limits.memory = \"2GiB\"",
            "3:17: `2GiB` is not between 1B and 1GiB",
        ),
        ("limits.memory = 1", "3:17: expected a string"),
        (
            "limits.result = \"1MiB\"",
            "3:17: `1MiB` is not between 1B and 256KiB",
        ),
        (
            "limits.requests = -1",
            "3:19: the number -1 is out of range",
        ),
        (
            "limits.requests = 1.5",
            "3:19: expected a whole number, found a number with a fraction",
        ),
        ("limits.fuel = 0", "3:15: without fuel no tool runs"),
        ("limits.time = \"0ms\"", "3:15: the time is not between"),
        (
            "limits.memroy = \"1MiB\"",
            "3:8: there is no key `memroy` here: did you mean `memory`?",
        ),
        // Rules.
        ("network = \"https://a.b/*\"", "3:11: expected a list"),
        ("network = [{}]", "3:12: the key `url` is missing"),
        (
            "network = [{ url = \"https://a.b\" }]",
            "3:20: `https://a.b` says nothing of paths",
        ),
        (
            "network = [{ url = \"http://a.b/*\" }]",
            "3:20: `http://a.b/*` is not encrypted",
        ),
        (
            "network = [{ url = \"https://a b/*\" }]",
            "3:20: `https://a b/*` is not a URL",
        ),
        (
            "network = [{ url = \"https://a.b/*\", methods = [] }]",
            "3:20: the list of methods is empty",
        ),
        (
            "network = [{ url = \"https://a.b/*\", methods = [\"get\"] }]",
            "3:48: `get` is not a method",
        ),
        (
            "network = [{ url = \"https://a.b/*\", headers = [\"host\"] }]",
            "3:48: the header `host`",
        ),
        (
            "network = [{ url = \"https://a.b/*\", govern = 1 }]",
            "3:46: expected true or false",
        ),
        (
            "network = [{ url = \"https://a.b/*\", govrn = true }]",
            "3:37: there is no key `govrn` here: did you mean `govern`?",
        ),
        (
            "network = [{ url = \"https://a.b/*\" }, { url = \"https://a.b/x\", govern = true }]",
            "3:39: the rule is hidden by `GET,HEAD https://a.b:443/*`",
        ),
        // Folders.
        (
            "files = [{ host = \"none\", guest = \"/a\", access = \"read-only\" }]",
            "3:19: cannot find the folder",
        ),
        (
            "files = [{ host = \"file\", guest = \"/a\", access = \"read-only\" }]",
            "is not a folder",
        ),
        (
            "files = [{ host = \"docs\", guest = \"a\", access = \"read-only\" }]",
            "`a` cannot be a path of the guest's",
        ),
        (
            "files = [{ host = \"docs\", guest = \"/a\", access = \"ro\" }]",
            "3:50: `ro` is not an access: write `read-only` or `read-write`",
        ),
        (
            "files = [{ host = \"docs\", guest = \"/a\" }]",
            "3:10: the key `access` is missing",
        ),
        (
            "files = [{ host = \"docs\", guest = \"/a\", access = \"read-write\" }, \
             { host = \"docs/sub\", guest = \"/b\", access = \"read-only\" }]",
            "the folder is, holds or lies in",
        ),
    ];
    let in_tool = in_tool
        .iter()
        .map(|(text, words)| (format!("{tool}{text}"), *words));
    for (text, words) in rows
        .iter()
        .map(|(text, words)| ((*text).into(), *words))
        .chain(in_tool)
    {
        let error = match place.parse(&text) {
            Err(error) => error.to_string(),
            Ok(config) => panic!("{text} became {config:?}"),
        };
        let place_given = words.starts_with(|c: char| c.is_ascii_digit());
        let found = if place_given {
            error.starts_with(words)
        } else {
            error.contains(words)
        };
        assert!(found, "{text}\n{error}\n{words}");
        assert!(!error.contains(char::is_control), "{error}");
    }
}

#[test]
fn a_file_is_read_from_where_it_is() {
    let place = Place::new();
    let file = place.path.join("thoth.toml");
    fs::write(&file, WHOLE).unwrap();
    assert_eq!(Config::read(&file).unwrap(), place.parse(WHOLE).unwrap());
    fs::write(&file, "tenant = 1").unwrap();
    let error = Config::read(&file).unwrap_err().to_string();
    assert!(
        error.ends_with("thoth.toml:1:10: expected a string, found an integer"),
        "{error}"
    );
}

#[test]
fn no_folder_exposes_what_is_not_the_tools() {
    let place = Place::new();
    let tool =
        "[tools.docs]\ncomponent = \"docs_search.wasm\"\n[[tools.docs.files]]\nguest = \"/x\"\n";
    let read = format!("{tool}access = \"read-only\"\n");
    let write = format!("{tool}access = \"read-write\"\n");
    for (settings, folder, allowed) in [
        (
            "state_dir = \"state\"",
            format!("{read}host = \".\""),
            false,
        ),
        (
            "state_dir = \"docs\"",
            format!("{read}host = \"docs/sub\""),
            false,
        ),
        (
            "state_dir = \"state\"",
            format!("{read}host = \"docs\""),
            true,
        ),
        (
            "api_key_file = \"docs/key\"",
            format!("{read}host = \"docs\""),
            false,
        ),
        (
            "secrets.a.file = \"docs/a\"",
            format!("{read}host = \"docs\""),
            false,
        ),
        (
            "policy = \"docs/p.cedar\"",
            format!("{read}host = \"docs\""),
            true,
        ),
        (
            "policy = \"docs/p.cedar\"",
            format!("{write}host = \"docs\""),
            false,
        ),
        (
            "ca_file = \"docs/ca.pem\"",
            format!("{write}host = \"docs\""),
            false,
        ),
        (
            "secrets.a.command = [\"docs/a\"]",
            format!("{read}host = \"docs\""),
            true,
        ),
        (
            "secrets.a.command = [\"docs/a\"]",
            format!("{write}host = \"docs\""),
            false,
        ),
        (
            "secrets.a.command = [\"docs\"]",
            format!("{write}host = \"docs\""),
            true,
        ),
        // Its own component.
        ("", format!("{read}host = \".\""), true),
        ("", format!("{write}host = \".\""), false),
    ] {
        let text = format!("{settings}\n{folder}");
        let config = place.parse(&text);
        assert_eq!(config.is_ok(), allowed, "{text}\n{config:?}");
        if let Err(error) = config {
            let error = error.to_string();
            assert!(error.contains("the folder exposes `"), "{error}");
            assert!(error.starts_with("4:1: "), "{error}");
        }
    }
    // The file itself.
    let file = place.path.join("out/thoth.toml");
    let text = write.replace("docs_search", "../docs_search") + "host = \".\"";
    fs::write(&file, &text).unwrap();
    let error = Config::read(&file).unwrap_err().to_string();
    assert!(
        error.contains("thoth.toml:3:1: the folder exposes `"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_the_component_that_it_leads_to() {
    let place = Place::new();
    std::os::unix::fs::symlink("other.wasm", place.path.join("link.wasm")).unwrap();
    let text = "[tools.a]\ncomponent = \"link.wasm\"";
    let config = place.parse(text).unwrap();
    assert!(config.tool(&place.path.join("other.wasm")).is_some());
    let twice = format!("{text}\n[tools.b]\ncomponent = \"other.wasm\"");
    assert!(place.parse(&twice).is_err());
}
