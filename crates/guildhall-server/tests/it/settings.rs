//! Settings through the binary: what is refused and how, which layer wins, what is shown.

use std::process::Stdio;

use tokio::process::Command;

/// Runs `guildhall settings ARGUMENTS` with a file and variables; its exit code, stdout and stderr.
async fn run(
    arguments: &[&str],
    file: Option<&str>,
    variables: &[(&str, &str)],
) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
    command
        .arg("settings")
        .args(arguments)
        .stdin(Stdio::null())
        .envs(variables.iter().copied());
    if let Some(text) = file {
        let path = folder.path().join("guildhall.toml");
        std::fs::write(&path, text).unwrap();
        command.arg("--config").arg(path);
    }
    let done = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        done.status.code().unwrap(),
        text(done.stdout),
        text(done.stderr),
    )
}

#[tokio::test]
async fn every_mistake_is_named_with_its_remedy() {
    for (file, flags, words) in [
        (
            "[api]\nlistn = \"127.0.0.1:1\"",
            vec![],
            "did you mean api.listen?",
        ),
        (
            "[apii]\nlisten = \"127.0.0.1:1\"",
            vec![],
            "did you mean [api]?",
        ),
        (
            "listen = \"127.0.0.1:1\"",
            vec![],
            "did you mean api.listen?",
        ),
        (
            "[api]\nlisten = \"nowhere\"",
            vec![],
            "such as 127.0.0.1:7420",
        ),
        ("[api]\nlisten = 7", vec![], "expected address and port"),
        ("[api]\nmax_wait = \"soon\"", vec![], "such as 250ms, 30s"),
        ("[api]\nmax_body = \"1MB\"", vec![], "such as 64KiB"),
        ("[api]\nmax_connections = 0", vec![], "at least 1"),
        (
            "[api]\nwatch_keepalive = \"5m\"",
            vec![],
            "from 100ms to 30s",
        ),
        ("[api]\ntls_key = \"/k\"", vec![], "TLS takes both"),
        (
            "[api]\nlisten = \"0.0.0.0:7420\"",
            vec![],
            "--token-file FILE",
        ),
        ("[api]\nlisten = \"[::]:7420\"", vec![], "--insecure"),
        (
            "[server]\nroles = [\"bus\"]",
            vec![],
            "there are: control, gateway",
        ),
        ("[server]\nroles = []", vec![], "a node needs a role"),
        (
            "[server]\nroles = [\"gateway\"]",
            vec![],
            "give --control URL",
        ),
        (
            "[server]\ncontrol = [\"http://a\"]",
            vec![],
            "leave --control out",
        ),
        (
            "",
            vec!["--role", "gateway", "--control", "a:1"],
            "such as http://127.0.0.1:7420",
        ),
        (
            "",
            vec!["--set", "gateway.trusted_proxies=10.0.0.0/99"],
            "gateway.trusted_proxies",
        ),
        ("", vec!["--set", "log"], "SECTION.KEY=VALUE"),
        ("[log]\nformat = \"xml\"", vec![], "there are: text, json"),
        ("[log\n", vec![], "is not TOML: line 1"),
        (
            "[rate_limit]\nredis_url = \"rediss://me:hunter2@a\"",
            vec![],
            "must be redis://",
        ),
        (
            "[rate_limit]\ntimeout = \"20s\"",
            vec![],
            "from 1 ms to 10 s",
        ),
        (
            "[rate_limit]\nkey_prefix = \"a b\"",
            vec![],
            "visible ASCII",
        ),
        ("[api]\nheader_timeout = \"0s\"", vec![], "at least 1s"),
        (
            "[server]\nroles = [\"gateway\"]\ncontrol = [\"http://me:hunter2@a:1\"]",
            vec![],
            "server.control_token",
        ),
        ("[api\ncontrol_token = \"hunter2\"", vec![], "is not TOML"),
        (
            "[server]\ncontrol_token = \"hunter2",
            vec![],
            "is not TOML: line 2",
        ),
        (
            "[server]\ncontrol_token = 5",
            vec![],
            "server.control_token",
        ),
    ] {
        let arguments: Vec<&str> = ["validate"]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        let (code, _, error) = run(&arguments, Some(file), &[]).await;
        assert_eq!(code, 2, "{file} {flags:?}: {error}");
        assert!(
            error.contains(words),
            "{file} {flags:?}: {error:?} lacks {words:?}"
        );
        assert!(!error.contains("hunter2"), "a secret is shown: {error}");
    }
}

#[tokio::test]
async fn several_mistakes_are_said_at_once() {
    let file = "[api]\nlistn = \"127.0.0.1:1\"\nmax_body = \"x\"";
    let (_, _, error) = run(
        &["validate"],
        Some(file),
        &[("GUILDHALL__LOG__LEVL", "debug")],
    )
    .await;
    for words in [
        "api.listn",
        "api.max_body",
        "log.levl",
        "GUILDHALL__LOG__LEVL",
    ] {
        assert!(error.contains(words), "{error} lacks {words}");
    }
}

#[tokio::test]
async fn flags_win_over_variables_over_the_file_over_defaults() {
    let file = "[log]\nlevel = \"file\"\nformat = \"json\"\n[api]\nmax_body = 65536\n[server]\ncontrol_token = \"hunter2-hunter2\"";
    let variables = [
        ("GUILDHALL__LOG__LEVEL", "variable"),
        ("GUILDHALL__API__MAX_BODY", "128KiB"),
    ];
    let arguments = ["show", "--changed", "--log-level", "flag"];
    let (code, shown, error) = run(&arguments, Some(file), &variables).await;
    assert_eq!(code, 0, "{error}");
    for line in [
        "level = \"flag\"  # --log-level",
        "max_body = \"128KiB\"  # GUILDHALL__API__MAX_BODY",
        "format = \"json\"  # /",
        "control_token = \"***\"",
    ] {
        assert!(shown.contains(line), "{shown} lacks {line}");
    }
    assert!(
        !shown.contains("hunter2") && !shown.contains("listen"),
        "{shown}"
    );
    // What is shown can be read back.
    let (code, _, error) = run(
        &["validate"],
        Some(&shown.replace("control_token = \"***\"", "")),
        &[],
    )
    .await;
    assert_eq!(code, 0, "{error}");
}

#[tokio::test]
async fn the_committed_reference_is_what_is_printed() {
    let (_, printed, _) = run(&["reference"], None, &[]).await;
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/settings.md"
    );
    assert!(
        std::fs::read_to_string(committed).unwrap_or_default() == printed,
        "write it anew: guildhall settings reference > docs/reference/settings.md"
    );
}
