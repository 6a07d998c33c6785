//! Every setting there is. The doc comments are the published reference (`guildhall settings reference`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use guildhall_core::document::Period;
use guildhall_gateway::Cidr;

use super::{
    field::section,
    value::{AccessLog, LogFormat, Role, Secret, Size},
};

section! {
    /// The node itself.
    Server = "server" {
        /// Where everything durable lives. Created if it does not exist; one running node at a time.
        data_dir: PathBuf = "guildhall-data".into(), "\"/var/lib/guildhall\"", flag "--data-dir";
        /// What this node does. A node without `control` gets its documents from the nodes in `control`.
        roles: Vec<Role> = Role::ALL.to_vec(), "[\"gateway\"]", flag "--role";
        /// Where a node without the control role gets its documents; several are tried in turn.
        control: Vec<String> = Vec::new(), "[\"https://guildhall-1:7420\", \"https://guildhall-2:7420\"]", flag "--control";
        /// The token such a node shows there. It needs `read` on every namespace.
        control_token: Option<Secret> = None, "\"a long random text\"";
        /// A PEM file with the authorities that such a node trusts; the system's if absent.
        control_ca: Option<PathBuf> = None, "\"/etc/guildhall/ca.pem\"";
        /// How long a shutdown waits for requests under way before it ends them.
        shutdown_timeout: Period = Period::secs(10), "\"30s\"";
        /// Allows the API beyond this machine without authentication. Anyone who reaches it is admin.
        insecure: bool = false, "true", flag "--insecure";
    }
}

section! {
    /// The native API.
    Api = "api" {
        /// Where the API listens; port 0 takes a free one. Beyond loopback it needs `auth.token_file`.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 7420)), "\"0.0.0.0:7420\"", flag "--api-listen";
        /// A PEM file with the certificate chain, leaf first. With `tls_key` the API speaks TLS only.
        tls_certificate: Option<PathBuf> = None, "\"/etc/guildhall/tls.crt\"";
        /// A PEM file with the certificate's private key.
        tls_key: Option<PathBuf> = None, "\"/etc/guildhall/tls.key\"";
        /// How often certificate and key are looked at; a changed pair serves new connections.
        tls_reload: Period = Period::secs(2), "\"1m\"";
        /// The largest request body. A transaction of the store holds 1MiB, so that more is of no use.
        max_body: Size = Size(1 << 20), "\"256KiB\"";
        /// The most connections at a time; one more is answered 503 and closed.
        max_connections: usize = 20_000, "1000";
        /// How long a client may take to send a request's headers, how long for its body, and how long an idle connection
        /// is kept.
        header_timeout: Period = Period::secs(75), "\"10s\"";
        /// The longest wait of a long poll; a client that asks for more gets this.
        max_wait: Period = Period::secs(300), "\"1m\"";
        /// How long a read waits for the index it asks for (`minIndex`) before it gives up.
        index_wait: Period = Period::secs(5), "\"1s\"";
        /// How often a silent watch sends a comment line, so that proxies keep it and dead clients are noticed.
        watch_keepalive: Period = Period::secs(15), "\"30s\"";
        /// The most memory for serialised discovery answers; unchanged ones are not serialised again. 0: none.
        answer_cache: Size = Size(64 << 20), "\"128MiB\"";
    }
}

section! {
    /// Who may call the API.
    Auth = "auth" {
        /// A TOML or JSON file with tokens and their scopes. Without it everyone is admin, and the API keeps to
        /// loopback.
        token_file: Option<PathBuf> = None, "\"/etc/guildhall/tokens.toml\"", flag "--token-file";
        /// How often the file is looked at; a change takes effect without a restart.
        reload: Period = Period::secs(2), "\"10s\"";
    }
}

section! {
    /// What is written to stderr.
    Log = "log" {
        /// The least level that is written, or a list such as `info,guildhall_control=debug`.
        level: String = "info".to_owned(), "\"debug\"", flag "--log-level";
        /// How lines are written.
        format: LogFormat = LogFormat::Text, "\"json\"", flag "--log-format";
        /// Whether each API request is written, too.
        access: bool = false, "true";
        /// Whether audit records are written here, too; `audit.file` keeps them in any case.
        audit: bool = false, "true";
    }
}

section! {
    /// Who wrote what: one record for each write, as a line of JSON.
    Audit = "audit" {
        /// Whether records are kept in `audit.jsonl` in the data directory.
        file: bool = true, "false";
        /// The size at which the file is renamed and a new one begun.
        rotate_at: Size = Size(64 << 20), "\"1GiB\"";
        /// How many renamed files are kept.
        keep: u32 = 4, "30";
    }
}

section! {
    /// The control store.
    Store = "store" {
        /// The most revisions that are kept for watchers who resume.
        history_revisions: usize = 100_000, "1000000";
        /// The most memory that those revisions take.
        history_bytes: Size = Size(32 << 20), "\"256MiB\"";
        /// How long revisions are kept for watchers who resume.
        history_age: Period = Period::secs(3600), "\"24h\"";
        /// The size of one file of the log.
        segment_size: Size = Size(64 << 20), "\"16MiB\"";
        /// A checkpoint is written after so much log; it bounds what a start has to read.
        checkpoint_after: Size = Size(64 << 20), "\"256MiB\"";
    }
}

section! {
    /// The versions of documents that operators write.
    History = "history" {
        /// How many versions of each document are kept, at least 2; those with a tag stay beside them.
        keep: u32 = 100, "1000";
    }
}

section! {
    /// Configuration.
    Config = "config" {
        /// How many bytes of contents are kept in memory, and again as many of what they come to for their readers.
        cache: Size = Size(64 << 20), "\"256MiB\"";
        /// How many listeners are known at most, over all files.
        listeners: usize = 100_000, "10000";
        /// How many drafts a file has at most.
        drafts: usize = 16, "4";
        /// A file with the keys that values are sealed with, a line `ID: KEY` each, the one that seals first
        /// (`guildhall config seal --new-key`). Without keys nothing can be sealed. A change takes effect without a restart,
        /// as often as `auth.reload` says.
        seal_key_file: Option<PathBuf> = None, "\"/etc/guildhall/seal.keys\"";
        /// The same keys in place, with commas between them: for the environment.
        seal_keys: Option<Secret> = None, "\"k1: BASE64\"";
    }
}

section! {
    /// Watches and long polls.
    Watch = "watch" {
        /// How many events may wait for one watcher; one more and it starts over from the current state.
        queue: usize = 1024, "4096";
        /// How many past changes are kept in memory for watchers that were briefly away.
        history: usize = 8192, "65536";
        /// The most watches and long polls at a time.
        watchers: usize = 200_000, "10000";
    }
}

section! {
    /// What is kept of what gateways and services report.
    Fleet = "fleet" {
        /// How long breakers and limits of a reporter that fell silent are still shown, and its parts of shared limits are
        /// its own; with such parts at least ten seconds. Reporters that have nothing new say so every ten seconds, every
        /// three with a shared limit.
        silence: Period = Period::secs(30), "\"1m\"";
    }
}

section! {
    /// The checking of instances.
    Checks = "checks" {
        /// How many active checks run at once.
        concurrency: usize = 512, "64";
        /// Whether checks may reach link-local addresses, where clouds keep their metadata services.
        allow_link_local: bool = false, "true";
        /// A PEM file of the authorities that http and grpc checks of https ports trust; the system's if absent. It is
        /// read when the first such check runs.
        ca_file: Option<PathBuf> = None, "\"/etc/guildhall/checks-ca.pem\"";
    }
}

section! {
    /// Rate limits of scope `Exact`, which gateways and services count together in a Redis. Services are told by
    /// `GUILDHALL_REDIS_URL`.
    RateLimit = "rate_limit" {
        /// The Redis, or Valkey, of this node's gateway: `redis://[user:password@]host[:port][/database]`, or
        /// `unix:///path`; never shown. Without it the gateway counts those limits for itself.
        redis_url: Option<Secret> = None, "\"redis://10.0.0.5:6379\"";
        /// How long a request may wait for its answer, from 1ms to 10s. After that the gateway counts for itself, until
        /// Redis answers again.
        timeout: Period = Period::millis(50), "\"20ms\"";
        /// What the names of all keys begin with, before a colon. Who shall count together has the same one.
        key_prefix: String = "guildhall".to_owned(), "\"shop\"";
    }
}

section! {
    /// The gateway, where this node has that role.
    Gateway = "gateway" {
        /// Where traffic comes in; port 0 takes a free one.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)), "\"127.0.0.1:8080\"", flag "--gateway-listen";
        /// Worker threads; 0 is one per core.
        workers: usize = 0, "4", flag "--gateway-workers";
        /// Whether `/{service}/…` reaches the services of the namespace `default` where no route matches.
        default_route: bool = false, "true";
        /// How long a backend has from the end of a request to the head of its answer, where the route says nothing;
        /// `0s` switches it off.
        request_timeout: Period = Period::secs(15), "\"30s\"";
        /// How long a connection to a backend may take to be made.
        connect_timeout: Period = Period::secs(5), "\"500ms\"";
        /// How long a client's connection may stay without a request.
        idle_timeout: Period = Period::secs(3600), "\"75s\"";
        /// The most client connections at a time.
        max_connections: usize = 65_536, "1000";
        /// The most bytes of a request's head; at least 8KiB.
        max_head: Size = Size(64 << 10), "\"16KiB\"";
        /// The most bytes of a request's body that are held so that it can be sent again, where a policy retries; a
        /// larger one is passed on as it comes, and not retried.
        retry_body: Size = Size(64 << 10), "\"256KiB\"";
        /// The networks of proxies before this gateway: their `X-Forwarded-*` headers are believed and extended, all
        /// others' are replaced.
        trusted_proxies: Vec<Cidr> = Vec::new(), "[\"10.0.0.0/8\"]";
        /// The zone this gateway runs in: instances of the same zone are preferred.
        zone: Option<String> = None, "\"eu-1a\"";
        /// How each request is logged.
        access_log: AccessLog = AccessLog::Off, "\"json\"";
        /// The file those lines are appended to; stdout if absent.
        access_log_file: Option<PathBuf> = None, "\"/var/log/guildhall/access.log\"";
    }
}
