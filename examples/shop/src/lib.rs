//! The demo shop: user-service and order-service on the SDK.
