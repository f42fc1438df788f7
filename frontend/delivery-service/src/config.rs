//! Settings from flags, or from the environment where a flag is absent.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderValue;

use crate::limits::Quotas;

/// What the service prints for `--help`.
pub const USAGE: &str = "\
delivery-service: orders and forwards MLS messages

  --listen ADDRESS:PORT   default 127.0.0.1:8787; port 0 takes a free one      DELIVERY_SERVICE_LISTEN
  --database PATH         SQLite file, made if absent; default
                          delivery-service.sqlite                              DELIVERY_SERVICE_DATABASE
  --allow-origin ORIGIN   a page of this origin may call the service (CORS);
                          repeat it or separate by commas                      DELIVERY_SERVICE_ALLOW_ORIGIN
  --static DIR            also serve the built frontend in DIR                 DELIVERY_SERVICE_STATIC
  --quota NAME=NUMBER     what one client may use up: groups, daily-bytes,
                          claims, welcomes or welcomes-from-one; may be repeated
  --verbose               a log line for every request, not only failed ones   DELIVERY_SERVICE_VERBOSE
";

/// The settings of one run.
#[derive(Debug)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The SQLite file.
    pub database: PathBuf,
    /// Origins whose pages may call the service.
    pub allow_origins: Vec<HeaderValue>,
    /// Folder of the built frontend.
    pub static_dir: Option<PathBuf>,
    /// What one client may use up.
    pub quotas: Quotas,
    /// Log every request.
    pub verbose: bool,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run with these settings.
    Run(Config),
    /// Print [`USAGE`].
    Help,
}

/// Reads the command line, then the environment for what it left out.
pub fn parse(
    mut arguments: impl Iterator<Item = String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, String> {
    let (mut listen, mut database, mut static_dir) = (None, None, None);
    let mut origins = Vec::new();
    let mut quotas = Quotas::default();
    let mut verbose = environment("DELIVERY_SERVICE_VERBOSE").is_some_and(|value| value != "0");
    while let Some(argument) = arguments.next() {
        let (flag, mut inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            inline
                .take()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{flag} needs a value"))
        };
        match flag.as_str() {
            "--listen" => listen = Some(value()?),
            "--database" => database = Some(value()?),
            "--static" => static_dir = Some(value()?),
            "--allow-origin" => origins.push(value()?),
            "--quota" => set_quota(&mut quotas, &value()?)?,
            "--verbose" => verbose = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    let listen = listen
        .or_else(|| environment("DELIVERY_SERVICE_LISTEN"))
        .unwrap_or_else(|| "127.0.0.1:8787".into());
    if origins.is_empty() {
        origins.extend(environment("DELIVERY_SERVICE_ALLOW_ORIGIN"));
    }
    Ok(Command::Run(Config {
        listen: listen
            .parse()
            .map_err(|_| format!("--listen {listen} is not an address and a port"))?,
        database: database
            .or_else(|| environment("DELIVERY_SERVICE_DATABASE"))
            .unwrap_or_else(|| "delivery-service.sqlite".into())
            .into(),
        allow_origins: origins
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(parse_origin)
            .collect::<Result<_, _>>()?,
        static_dir: static_dir
            .or_else(|| environment("DELIVERY_SERVICE_STATIC"))
            .map(PathBuf::from),
        quotas,
        verbose,
    }))
}

fn set_quota(quotas: &mut Quotas, setting: &str) -> Result<(), String> {
    let malformed = || format!("--quota {setting} is not one of the names, =, and a number");
    let (name, number) = setting.split_once('=').ok_or_else(malformed)?;
    let quota = match name {
        "groups" => &mut quotas.groups,
        "daily-bytes" => &mut quotas.daily_bytes,
        "claims" => &mut quotas.claims,
        "welcomes" => &mut quotas.welcomes,
        "welcomes-from-one" => &mut quotas.welcomes_from_one,
        _ => return Err(malformed()),
    };
    *quota = number.parse().map_err(|_| malformed())?;
    Ok(())
}

fn parse_origin(origin: &str) -> Result<HeaderValue, String> {
    let exact = origin.contains("://") && !origin.ends_with('/');
    HeaderValue::from_str(origin)
        .ok()
        .filter(|_| exact)
        .ok_or_else(|| {
            format!("--allow-origin {origin} is not an origin such as http://localhost:5173")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Config {
        match parse(arguments.iter().map(|a| (*a).to_owned()), |name| {
            (name == "DELIVERY_SERVICE_DATABASE").then(|| "from-environment".to_owned())
        }) {
            Ok(Command::Run(config)) => config,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_go_before_the_environment_and_the_environment_before_defaults() {
        let config = run(&[]);
        assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(config.database, PathBuf::from("from-environment"));
        assert_eq!(config.static_dir, None);
        let config = run(&[
            "--database=here",
            "--listen",
            "[::1]:0",
            "--allow-origin",
            "http://a:1, http://b:2",
            "--static",
            "dist",
            "--quota=groups=7",
            "--quota",
            "claims=8",
        ]);
        assert_eq!((config.quotas.groups, config.quotas.claims), (7, 8));
        assert_eq!(config.quotas.welcomes, Quotas::default().welcomes);
        assert_eq!(config.database, PathBuf::from("here"));
        assert_eq!(config.listen.port(), 0);
        assert_eq!(config.allow_origins, ["http://a:1", "http://b:2"]);
        assert_eq!(config.static_dir, Some(PathBuf::from("dist")));
    }

    #[test]
    fn a_bad_command_line_is_an_error() {
        for bad in [
            &["--listen"][..],
            &["--listen", "nowhere"],
            &["--allow-origin", "*"],
            &["--allow-origin", "http://a:1/"],
            &["--quota", "groups"],
            &["--quota", "groups=-1"],
            &["--quota", "sheep=1"],
            &["--frobnicate"],
        ] {
            assert!(parse(bad.iter().map(|a| (*a).to_owned()), |_| None).is_err());
        }
    }
}
