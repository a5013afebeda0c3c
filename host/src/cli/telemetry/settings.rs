//! What the `OTEL_*` variables ask for, one signal at a time.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use thoth_transport::Origin;
use url::Url;

/// How long one export may take where no variable says so, and at most.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Where OTLP over HTTP goes where only the exporter is named.
const ENDPOINT: &str = "http://localhost:4318";

#[derive(Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// Variables that OpenTelemetry's own code reads, and takes at their word: the most that each can be.
    fn numbers(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Traces => &[
                ("OTEL_BSP_MAX_QUEUE_SIZE", 65_536),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 65_536),
                ("OTEL_BSP_SCHEDULE_DELAY", 3_600_000),
            ],
            Self::Metrics => &[("OTEL_METRIC_EXPORT_INTERVAL", 86_400_000)],
        }
    }
}

/// The collector for one signal.
pub(super) struct Target {
    pub(super) origin: Origin,
    pub(super) timeout: Duration,
    pub(super) ca_file: Option<PathBuf>,
}

/// The collector for a signal, if one is asked for.
///
/// # Errors
/// What is wrong with the variables, in one line.
pub(super) fn read(signal: Signal) -> Result<Option<Target>, String> {
    wanted(signal, &|name| {
        env::var(name).ok().filter(|value| !value.trim().is_empty())
    })
}

type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

fn wanted(signal: Signal, variable: Variables<'_>) -> Result<Option<Target>, String> {
    let (word, exporter) = match signal {
        Signal::Traces => ("TRACES", "OTEL_TRACES_EXPORTER"),
        Signal::Metrics => ("METRICS", "OTEL_METRICS_EXPORTER"),
    };
    if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    {
        return Ok(None);
    }
    // The signal's own variable, else that for both, and the name of whichever it was.
    let setting = |what: &str| {
        [
            format!("OTEL_EXPORTER_OTLP_{word}_{what}"),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ]
        .into_iter()
        .find_map(|name| variable(&name).map(|value| (value.trim().to_owned(), name)))
    };
    let endpoint = setting("ENDPOINT");
    match (variable(exporter).as_deref().map(str::trim), &endpoint) {
        (Some("otlp"), _) | (None, Some(_)) => {}
        (Some("none"), _) | (None, None) => return Ok(None),
        (Some(other), _) => {
            return Err(format!(
                "{exporter} is `{other}`; it can be `otlp` or `none`"
            ));
        }
    }
    if let Some((protocol, name)) =
        setting("PROTOCOL").filter(|(value, _)| value != "http/protobuf")
    {
        return Err(format!(
            "{name} is `{protocol}`; only `http/protobuf` is spoken"
        ));
    }
    let (endpoint, name) =
        endpoint.unwrap_or_else(|| (ENDPOINT.into(), "the default endpoint".into()));
    let origin = origin(&endpoint).map_err(|why| format!("{name}: {why}"))?;
    let timeout = match setting("TIMEOUT") {
        None => TIMEOUT,
        Some((text, name)) => match text.parse().map(Duration::from_millis) {
            Ok(timeout) if !timeout.is_zero() => timeout.min(TIMEOUT_MAX),
            _ => {
                return Err(format!(
                    "{name} is `{text}`, and not a number of milliseconds"
                ));
            }
        },
    };
    for (name, most) in signal.numbers() {
        let Some(text) = variable(name) else { continue };
        let number = text.trim().parse::<u64>();
        if !number.is_ok_and(|number| (1..=*most).contains(&number)) {
            return Err(format!(
                "{name} is `{}`, and not from 1 to {most}",
                text.trim()
            ));
        }
    }
    let ca_file = setting("CERTIFICATE").map(|(file, _)| file.into());
    Ok(Some(Target {
        origin,
        timeout,
        ca_file,
    }))
}

/// `https`, or `http` to a loopback address, as for the enforcer: spans name agents, tools and sessions,
/// and the headers hold the collector's credential.
fn origin(endpoint: &str) -> Result<Origin, String> {
    // It may hold a credential, so it is not shown.
    let url = Url::parse(endpoint).map_err(|error| format!("it is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL has no place for a credential; use OTEL_EXPORTER_OTLP_HEADERS".into());
    }
    let origin = url.origin().ascii_serialization();
    Origin::parse(&origin).map_err(|error| {
        format!(
            "{error}; for a collector elsewhere without TLS, run one on this machine in between"
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(signal: Signal, set: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable = |name: &str| {
            let found = set.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        wanted(signal, &variable).map(|target| target.map(|target| target.origin.to_string()))
    }

    #[test]
    fn nothing_is_sent_unless_it_is_asked_for() {
        assert_eq!(of(Signal::Traces, &[]), Ok(None));
        let service = ("OTEL_SERVICE_NAME", "x");
        assert_eq!(of(Signal::Metrics, &[service]), Ok(None));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert_eq!(of(Signal::Traces, &[endpoint, off]), Ok(None));
        }
    }

    #[test]
    fn a_signals_own_variable_goes_before_that_for_both() {
        let both = (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://otel.example:4318/base",
        );
        let own = (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "http://127.0.0.1:9/m",
        );
        let traces = of(Signal::Traces, &[both, own]).unwrap().unwrap();
        assert!(traces.starts_with("https://otel.example:4318"), "{traces}");
        let metrics = of(Signal::Metrics, &[both, own]).unwrap().unwrap();
        assert!(metrics.starts_with("http://127.0.0.1:9"), "{metrics}");
        let named = of(Signal::Traces, &[("OTEL_TRACES_EXPORTER", "otlp")]);
        assert!(named.unwrap().unwrap().starts_with("http://localhost:4318"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for (wrong, word) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "grpc"),
            (("OTEL_TRACES_EXPORTER", "jaeger"), "jaeger"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), "soon"),
            (
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://10.0.0.1:4318"),
                "http",
            ),
            (
                (
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                    "https://u:p@x.example",
                ),
                "credential",
            ),
            (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"), "URL"),
            (
                (
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                    "http://u:sekret@[::zz]:1",
                ),
                "URL",
            ),
            // What reads them would panic, eat all memory or never rest.
            (
                ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
                "from 1 to 65536",
            ),
            (("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"), "from 1 to"),
            (("OTEL_BSP_SCHEDULE_DELAY", "0"), "from 1 to"),
        ] {
            let why = of(Signal::Traces, &[endpoint, wrong]).unwrap_err();
            assert!(why.contains(word), "{why}");
            assert!(!why.contains("sekret"), "{why}");
        }
        let often = ("OTEL_METRIC_EXPORT_INTERVAL", "0");
        assert!(of(Signal::Metrics, &[endpoint, often]).is_err());
        assert!(of(Signal::Traces, &[endpoint, often]).is_ok());
        let largest = ("OTEL_BSP_MAX_QUEUE_SIZE", "65536");
        assert!(of(Signal::Traces, &[endpoint, largest]).is_ok());
    }
}
