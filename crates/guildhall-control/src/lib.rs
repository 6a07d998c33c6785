//! Registry, documents, locks: services with handles, over the store.
