//! OpenAPI documents.

use guildhall_core::registry::{Contract, ContractFormat, contract::compare};
use serde_json::{Value, json};

use super::render;

/// What breaks when the operation `old` at `GET /a/{id}` becomes `new`.
fn check(old: Value, new: Value, expect: &[&str]) {
    let document =
        |operation: Value| json!({"openapi": "3.0.3", "paths": {"/a/{id}": {"get": operation}}});
    check_documents(document(old), document(new), expect);
}

fn check_documents(old: Value, new: Value, expect: &[&str]) {
    let contract = |document: &Value| Contract {
        format: ContractFormat::OpenApi,
        document: document.clone(),
    };
    assert_eq!(
        render(&compare(&contract(&old), &contract(&new))),
        expect,
        "from {old} to {new}"
    );
    for document in [&old, &new] {
        assert_eq!(
            compare(&contract(document), &contract(document)),
            [],
            "{document} beside itself"
        );
    }
}

fn parameter(name: &str, place: &str, required: bool, kind: &str) -> Value {
    json!({"name": name, "in": place, "required": required, "schema": {"type": kind}})
}

fn request(required: bool, media_type: &str, schema: Value) -> Value {
    json!({"requestBody": {"required": required, "content": {media_type: {"schema": schema}}}})
}

fn response(status: &str, media_type: &str, schema: Value) -> Value {
    json!({"responses": {status: {"description": "", "content": {media_type: {"schema": schema}}}}})
}

#[test]
fn operations() {
    let paths = |paths: Value| json!({"openapi": "3.1.0", "paths": paths});
    check_documents(
        paths(json!({"/users": {"get": {}, "post": {}}, "/users/{id}": {"get": {}}})),
        paths(json!({"/users": {"get": {}}, "/users/{userId}": {"get": {}, "put": {}}})),
        &[r#"operationRemoved "POST /users" is no longer there"#],
    );
    check_documents(
        paths(json!({"/users": {"$ref": "#/components/pathItems/users"}})),
        json!({"openapi": "3.1.0", "paths": {"/users": {"$ref": "#/components/pathItems/users"}},
            "components": {"pathItems": {"users": {"get": {}}}}}),
        &[],
    );
    let components = json!({"pathItems": {"users": {"get": {}}}});
    check_documents(
        json!({"openapi": "3.1.0", "paths": {"/users": {"$ref": "#/components/pathItems/users"}}, "components": components}),
        paths(json!({})),
        &[r#"operationRemoved "GET /users" is no longer there"#],
    );
}

#[test]
fn parameters() {
    let with = |parameters: Value| json!({"parameters": parameters});
    check(
        with(json!([])),
        with(json!([
            parameter("q", "query", false, "string"),
            parameter("page", "query", true, "integer")
        ])),
        &[r#"parameterRequired "GET /a/{id} query parameter page" is new and required"#],
    );
    check(
        with(json!([parameter("X-Tenant", "header", false, "string")])),
        with(json!([parameter("x-tenant", "header", true, "string")])),
        &[
            r#"parameterRequired "GET /a/{id} header parameter x-tenant" could be left out, is required now"#,
        ],
    );
    check(
        with(json!([
            parameter("id", "path", true, "string"),
            parameter("gone", "query", true, "string")
        ])),
        with(json!([parameter("id", "path", true, "integer")])),
        &[r#"typeNarrowed "GET /a/{id} path parameter id" was string, is now integer"#],
    );
}

#[test]
fn the_name_of_a_path_parameter_does_not_matter() {
    let document = |name: &str, kind: &str| {
        json!({
            "openapi": "3.0.0",
            "paths": {
                format!("/a/{{{name}}}"): {
                    "parameters": [{"$ref": "#/components/parameters/p"}],
                    "get": {},
                },
            },
            "components": {"parameters": {"p": parameter(name, "path", true, kind)}},
        })
    };
    check_documents(document("id", "string"), document("userId", "string"), &[]);
    check_documents(
        document("id", "string"),
        document("userId", "integer"),
        &[r#"typeNarrowed "GET /a/{id} path parameter userId" was string, is now integer"#],
    );
}

#[test]
fn requests() {
    let json = "application/json";
    let string = || json!({"type": "string"});
    check(
        request(false, json, string()),
        request(true, json, string()),
        &[r#"bodyRequired "GET /a/{id} request" could be left out, is required now"#],
    );
    check(
        json!({}),
        request(true, json, string()),
        &[r#"bodyRequired "GET /a/{id} request" is new and required"#],
    );
    check(request(true, json, string()), json!({}), &[]);
    check(
        request(true, json, string()),
        request(true, "application/xml", string()),
        &[r#"mediaTypeRemoved "GET /a/{id} request application/json" is no longer taken"#],
    );
    check(
        request(
            true,
            json,
            json!({"properties": {"a": {"enum": ["x", "y"]}}}),
        ),
        request(
            true,
            "application/JSON; charset=utf-8",
            json!({"properties": {"a": {"enum": ["x"]}}, "required": ["b"]}),
        ),
        &[
            r#"propertyRequired "GET /a/{id} request application/json /b" is new and required"#,
            r#"enumValueRemoved "GET /a/{id} request application/json /a" "y" is no longer taken"#,
        ],
    );
}

#[test]
fn responses() {
    let json = "application/json";
    let user = |name: Value, required: &[&str]| json!({"type": "object", "properties": {"name": name}, "required": required});
    check(
        response("200", json, user(json!({"type": "string"}), &["name"])),
        response("200", json, user(json!({"type": "integer"}), &[])),
        &[
            r#"typeChanged "GET /a/{id} response 200 application/json /name" was string, is now integer"#,
            r#"propertyOptional "GET /a/{id} response 200 application/json /name" always came, may be missing now"#,
        ],
    );
    check(
        response("200", json, json!({})),
        response("201", json, json!({})),
        &[r#"responseRemoved "GET /a/{id} response 200" is no longer given"#],
    );
    check(
        response("404", json, json!({})),
        response("200", json, json!({})),
        &[],
    );
    check(
        response("200", json, json!({"type": "string"})),
        response("2XX", json, json!({"type": "string"})),
        &[],
    );
    check(
        response("200", json, json!({"type": "string"})),
        response("default", json, json!({"type": "null"})),
        &[r#"typeChanged "GET /a/{id} response 200 application/json" was string, is now null"#],
    );
    check(
        response("200", json, json!({})),
        json!({"responses": {"200": {"description": "nothing"}}}),
        &[r#"mediaTypeRemoved "GET /a/{id} response 200 application/json" is no longer given"#],
    );
}

/// One schema used in a request and in a response: each use by its own rules.
#[test]
fn a_shared_schema_is_compared_where_it_is_used() {
    let document = |required: &[&str]| {
        let user = json!({"$ref": "#/components/schemas/User"});
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": required});
        json!({
            "openapi": "3.0.0",
            "paths": {"/users": {"post": {
                "requestBody": {"content": {"application/json": {"schema": user}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": user}}}}},
            }}},
            "components": {"schemas": {"User": schema}},
        })
    };
    check_documents(
        document(&[]),
        document(&["name"]),
        &[
            r#"propertyRequired "POST /users request application/json /name" could be left out, is required now"#,
        ],
    );
    check_documents(
        document(&["name"]),
        document(&[]),
        &[
            r#"propertyOptional "POST /users response 200 application/json /*/name" always came, may be missing now"#,
        ],
    );
}

#[test]
fn another_format_cannot_be_compared() {
    let contract = |format| Contract {
        format,
        document: json!({}),
    };
    let told = compare(
        &contract(ContractFormat::OpenApi),
        &contract(ContractFormat::JsonSchema),
    );
    assert_eq!(
        render(&told),
        [r#"formatChanged "" was openapi, is now jsonSchema"#]
    );
}
