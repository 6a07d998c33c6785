//! How a service that stops, or is dropped, ends its streams.

use futures_util::{FutureExt, StreamExt, stream};
use guildhall::Registration;
use tokio::{sync::oneshot, task::JoinSet};

use super::{
    says::{Answers, all, ask, echoes, handled, plain, says, words},
    *,
};
use crate::until;

#[tokio::test]
async fn a_stop_ends_streams_in_order() {
    let (finish, finished) = oneshot::channel::<()>();
    let finished = std::sync::Mutex::new(Some(finished));
    let waits = says(move |mut request| {
        let finished = finished.lock().unwrap().take();
        async move {
            request.get_mut().message().await?;
            let last = stream::once(async move {
                match finished {
                    Some(finished) => drop(finished.await),
                    None => std::future::pending().await,
                }
                Ok("last".to_owned())
            });
            let answers: Answers = words(&["first"]).chain(last).boxed();
            Ok(answers)
        }
        .boxed()
    });
    let running = crate::service("says")
        .grpc_service(waits)
        .drain_deadline(MS(300))
        .start()
        .await
        .unwrap();
    // On connections of their own: one has nothing left to do before the other is ended.
    let mut finishes = ask(plain(running.addr()), "a").await.unwrap();
    let mut endless = ask(plain(running.addr()), "b").await.unwrap();
    for stream in [&mut finishes, &mut endless] {
        assert_eq!(stream.message().await.unwrap().unwrap(), "first");
    }
    let metrics = running.metrics();
    let address = running.addr();
    let stopped = tokio::spawn(running.stop());
    let closed = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("the closed door", closed).await;
    finish.send(()).unwrap();
    assert_eq!(all(finishes).await, (vec!["last".to_owned()], None));
    assert_eq!(all(endless).await, (vec![], Some(Code::Unavailable)));
    assert_eq!(soon("the stop", stopped).await.unwrap().cut, 1);
    let text = metrics.encode();
    for line in [handled("Say", "OK"), handled("Say", "Unavailable")] {
        assert!(text.contains(&format!("{line} 1\n")), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_service_that_is_dropped_ends_its_streams() {
    let (tell, dropped) = oneshot::channel::<()>();
    let tell = std::sync::Mutex::new(Some(tell));
    let hangs = says(move |_| {
        let held = tell.lock().unwrap().take();
        async move {
            let rest = stream::once(async move {
                let _held = held;
                std::future::pending::<Result<String, Status>>().await
            });
            let answers: Answers = words(&["first"]).chain(rest).boxed();
            Ok(answers)
        }
        .boxed()
    });
    let running = crate::service("says")
        .grpc_service(hangs)
        .start()
        .await
        .unwrap();
    let mut stream = ask(plain(running.addr()), "a").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap(), "first");
    drop(running);
    assert!(soon("the end", dropped).await.is_err());
    assert!(stream.message().await.is_err());
}

#[tokio::test]
async fn an_instance_that_stops_under_load_fails_nobody() {
    let platform = Platform::start().await;
    let instance = async |id: &str| {
        let service = crate::service("says")
            .platform(&platform.url())
            .instance_id(id);
        let running = service.grpc_service(echoes()).start().await.unwrap();
        until(&running, |now| *now == Registration::Registered).await;
        running
    };
    let (stops, stays) = (instance("stops").await, instance("stays").await);
    // It does not wait until everybody has heard of it: its port is closed while it is still called.
    let budget = json!({"percent": 400, "minRetriesPerSecond": 1000});
    let defaults =
        json!({"retry": {"attempts": 3, "backOff": {"baseInterval": "1ms"}, "budget": budget}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("says");
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let channel = channel.clone();
        callers.spawn(async move {
            for _ in 0..60 {
                let said = all(ask(channel.clone(), "word").await.unwrap()).await;
                assert_eq!(said, (vec!["word".to_owned()], None));
            }
        });
    }
    let busy = async {
        while metric(&stops, &handled("Say", "OK")).await < 40 {
            tokio::task::yield_now().await;
        }
    };
    soon("calls", busy).await;
    assert_eq!(soon("the stop", stops.stop()).await.cut, 0);
    soon("the callers", callers.join_all()).await;
    assert!(metric(&stays, &handled("Say", "OK")).await > 100);
}
