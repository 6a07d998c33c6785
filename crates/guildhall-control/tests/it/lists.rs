//! Lists: pages of one state.

use std::time::Duration;

use guildhall_control::Error;
use guildhall_control::documents::{ListQuery, Listed};
use guildhall_core::access::Verb;
use guildhall_core::document::{Kind, Namespace};
use serde_json::json;

use crate::world::*;

fn names(listed: &Listed) -> Vec<String> {
    listed
        .items
        .iter()
        .map(|document| document.key().name.to_string())
        .collect()
}

fn instances() -> ListQuery {
    ListQuery::new(Kind::Instance, Some(namespace()))
}

impl World {
    fn list(&self, query: &ListQuery) -> Result<Listed, Error> {
        self.control.documents().list(&self.caller, query)
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_of_one_state_whatever_happens_meanwhile() {
    let world = World::new().await;
    for n in 0..5 {
        world.seen(instance(&format!("users/u{n}"))).await;
    }
    let mut query = ListQuery {
        limit: Some(2),
        ..instances()
    };
    let first = world.list(&query).unwrap();
    assert_eq!(names(&first), ["users/u0", "users/u1"]);
    world.delete(&key(Kind::Instance, "users/u3")).await;
    world.seen(instance("users/u25")).await;
    query.after = first.next.clone();
    let second = world.list(&query).unwrap();
    assert_eq!(
        (names(&second), second.index),
        (
            vec!["users/u2".to_owned(), "users/u3".to_owned()],
            first.index
        )
    );
    query.after = second.next.clone();
    let third = world.list(&query).unwrap();
    assert_eq!(
        (names(&third), third.next),
        (vec!["users/u4".to_owned()], None)
    );
    assert_eq!(names(&world.list(&instances()).unwrap()).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_kept_any_more_is_gone() {
    let mut options = options();
    options.documents.kept_states = 2;
    let world = World::with(options).await;
    for n in 0..3 {
        world.seen(instance(&format!("users/u{n}"))).await;
    }
    let mut query = ListQuery {
        limit: Some(1),
        ..instances()
    };
    query.after = world.list(&query).unwrap().next;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(world.list(&query).is_ok());
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(world.list(&query).is_ok(), "every page renews it");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(matches!(world.list(&query), Err(Error::Gone)));
    // Others push it out.
    let fresh = ListQuery {
        limit: Some(1),
        ..instances()
    };
    query.after = world.list(&fresh).unwrap().next;
    for n in 3..6 {
        world.seen(instance(&format!("users/u{n}"))).await;
        world.list(&fresh).unwrap();
    }
    assert!(matches!(world.list(&query), Err(Error::Gone)));
    for bad in ["", "x", "1.2/default", "9.9.9/a/b"] {
        query.after = Some(bad.to_owned());
        assert!(
            matches!(world.list(&query), Err(Error::BadContinue(_))),
            "{bad}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn selectors_services_and_bounds() {
    let mut options = options();
    options.documents.page = 3;
    let world = World::with(options).await;
    for n in 0..4 {
        let labels = json!({"tier": if n % 2 == 0 { "web" } else { "db" }});
        world
            .seen(labelled(
                Kind::Instance,
                &format!("users/u{n}"),
                json!({"host": "h", "port": 1}),
                labels,
            ))
            .await;
    }
    world.seen(instance("users-b/x")).await;
    let web = ListQuery {
        selector: "tier=web".parse().unwrap(),
        ..instances()
    };
    assert_eq!(names(&world.list(&web).unwrap()), ["users/u0", "users/u2"]);
    let of = |service: &str| ListQuery {
        service: Some(service.into()),
        ..instances()
    };
    assert_eq!(names(&world.list(&of("users-b")).unwrap()), ["users-b/x"]);
    let all = world
        .list(&ListQuery {
            limit: Some(100),
            ..of("users")
        })
        .unwrap();
    assert_eq!((all.items.len(), all.next.is_some()), (3, true));
    let touched = world.list(&of("users")).unwrap().touched;
    assert!(touched.revision < all.index.revision);
}

#[tokio::test(start_paused = true)]
async fn all_namespaces_means_those_that_the_caller_may_read() {
    let world = World::new().await;
    for place in ["default", "shop"] {
        let mut lock = document(Kind::Lock, place, json!({}));
        lock.metadata_mut().namespace = Namespace::new(place).unwrap();
        world.seen(lock).await;
    }
    let all = ListQuery::new(Kind::Lock, None);
    assert_eq!(names(&world.list(&all).unwrap()), ["default", "shop"]);
    let shop = caller("shop", &[(Verb::Read, Some("shop"))]);
    let documents = world.control.documents();
    assert_eq!(names(&documents.list(&shop, &all).unwrap()), ["shop"]);
    let default = ListQuery::new(Kind::Lock, Some(namespace()));
    assert!(matches!(
        documents.list(&shop, &default),
        Err(Error::Denied(_))
    ));
}
