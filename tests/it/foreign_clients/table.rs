//! The clients, and what each of them sends.

use usher::model::Kind::{Event, Page, Screen};

use super::Key::{Basic, Body};
use super::Packing::{Gzip, GzipInChunks, Plain};
use super::{Client, MADE};

const JSON: &str = "Content-Type: application/json";
const JSON_UTF8: &str = "Content-Type: application/json; charset=utf-8";
const TEXT: &str = "Content-Type: text/plain";

pub(super) const CLIENTS: &[Client] = &[
    // analytics-ruby: a time has milliseconds and the machine's own offset; what was not given
    // is null.
    Client {
        name: "segment-ruby",
        path: "/v1/import",
        headers: &[JSON, "Accept: application/json", "User-Agent: analytics-ruby/2.5.0"],
        key: Basic,
        packing: Plain,
        body: r#"{"sentAt":"2026-03-04T11:00:00.000+01:00","batch":[
            {"anonymousId":null,"context":{"library":{"name":"analytics-ruby","version":"2.5.0"}},"integrations":null,"messageId":"NAME-1","timestamp":"2026-03-04T10:30:00.123+01:00","userId":"NAME","options":null,"type":"identify","traits":{"email":"NAME@example.com"}},
            {"anonymousId":null,"context":{"library":{"name":"analytics-ruby","version":"2.5.0"}},"integrations":null,"messageId":"NAME-2","timestamp":"2026-03-04T10:30:00.123+01:00","userId":"NAME","options":null,"type":"track","event":"Opened","properties":{}},
            {"anonymousId":null,"context":{},"integrations":null,"messageId":"NAME-3","timestamp":"2026-03-04T10:30:00.123+01:00","userId":"NAME","options":null,"type":"page","name":null,"properties":{}}]}"#,
        events: &[(Event, "Opened", MADE + 123), (Page, "", MADE + 123)],
    },
    // analytics-php: `date('c')`, whole seconds with an offset. Maps that an app leaves empty
    // are lists.
    Client {
        name: "segment-php",
        path: "/v1/batch",
        headers: &[JSON, "User-Agent: analytics-php/3.8.1"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"userId":"NAME","traits":{"email":"NAME@example.com"},"context":{"library":{"name":"analytics-php","version":"3.8.1","consumer":"LibCurl"},"page":[]},"timestamp":"2026-03-04T09:30:00+00:00","messageId":"NAME-1","type":"identify","integrations":[]},
            {"userId":"NAME","traits":[],"context":[],"timestamp":"2026-03-04T09:30:00+00:00","messageId":"NAME-2","type":"identify"},
            {"userId":"NAME","event":"Opened","properties":[],"context":[],"timestamp":"2026-03-04T09:30:00+00:00","messageId":"NAME-3","type":"track"}],
            "sentAt":"2026-03-04T10:00:00+00:00"}"#,
        events: &[(Event, "Opened", MADE)],
    },
    // analytics-java: the path ends with a slash; the batch counts itself.
    Client {
        name: "segment-java",
        path: "/v1/import/",
        headers: &[JSON, "User-Agent: analytics-java/3.5.2"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"traits":{"email":"NAME@example.com"},"type":"identify","messageId":"NAME-1","sentAt":"2026-03-04T10:00:00.000Z","timestamp":"2026-03-04T09:30:00.123Z","context":{"library":{"name":"analytics-java","version":"3.5.2"}},"userId":"NAME","integrations":{}},
            {"event":"Opened","properties":{},"type":"track","messageId":"NAME-2","sentAt":"2026-03-04T10:00:00.000Z","timestamp":"2026-03-04T09:30:00.123Z","context":{},"userId":"NAME","integrations":{}}],
            "sentAt":"2026-03-04T10:00:00.000Z","context":{"library":{"name":"analytics-java","version":"3.5.2"}},"sequence":1,"writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // analytics-go: an endpoint with a slash at its end makes two of them; nanoseconds.
    Client {
        name: "segment-go",
        path: "//v1/batch",
        headers: &[JSON, "User-Agent: analytics-go (version: 3.0.0)"],
        key: Basic,
        packing: Plain,
        body: r#"{"messageId":"NAME-batch","sentAt":"2026-03-04T10:00:00.000000001Z","batch":[
            {"type":"identify","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00.123456789Z","traits":{"email":"NAME@example.com"}},
            {"type":"track","messageId":"NAME-2","userId":"NAME","event":"Opened","timestamp":"2026-03-04T09:30:00.123456789Z","properties":null},
            {"type":"screen","messageId":"NAME-3","userId":"NAME","name":"Basket","timestamp":"2026-03-04T09:30:00Z"}],
            "context":{"library":{"name":"analytics-go","version":"3.0.0"}}}"#,
        events: &[(Event, "Opened", MADE + 123), (Screen, "Basket", MADE)],
    },
    // Reported: an app in Go that hands over `time.String()`.
    Client {
        name: "go-time-string",
        path: "/v1/batch/",
        headers: &[JSON],
        key: Basic,
        packing: Plain,
        body: r#"{"sentAt":"2026-03-04 10:00:00 +0000 UTC","batch":[
            {"type":"identify","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00Z","traits":{"email":"NAME@example.com"}},
            {"type":"track","messageId":"NAME-2","userId":"NAME","event":"Opened","timestamp":"2026-03-04 09:30:00 +0000 UTC"}]}"#,
        events: &[(Event, "Opened", MADE)],
    },
    // Analytics.NET: seven digits; no offset where the app's time has no kind.
    Client {
        name: "segment-net",
        path: "/v1/import",
        headers: &[JSON_UTF8, "User-Agent: Analytics.NET/3.8.1"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"traits":{"email":"NAME@example.com"},"type":"identify","messageId":"NAME-1","timestamp":"2026-03-04T09:30:00.1234567","userId":"NAME","anonymousId":null,"context":{"library":{"name":"Analytics.NET","version":"3.8.1"}},"integrations":{}},
            {"event":"Opened","properties":{},"type":"track","messageId":"NAME-2","timestamp":"2026-03-04T09:30:00.1234567Z","userId":"NAME","anonymousId":null,"context":null,"integrations":{}},
            {"event":"Closed","properties":null,"type":"track","messageId":"NAME-3","timestamp":"2026-03-04T09:30:00.1234567","userId":"NAME","anonymousId":null,"context":null,"integrations":null}],
            "messageId":"NAME-batch","sentAt":"2026-03-04T10:00:00.0000000Z"}"#,
        events: &[(Event, "Opened", MADE + 123), (Event, "Closed", MADE + 123)],
    },
    // Analytics-CSharp.
    Client {
        name: "segment-csharp",
        path: "/v1/b",
        headers: &[JSON_UTF8],
        key: Body,
        packing: Plain,
        body: r#"{"batch":[
            {"type":"identify","traits":{"email":"NAME@example.com"},"anonymousId":"NAME-visitor","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","context":{"library":{"name":"Analytics-CSharp","version":"2.5.0"}},"integrations":{},"_metadata":{"bundled":[],"unbundled":[],"bundledIds":[]}},
            {"type":"track","event":"Opened","properties":{},"anonymousId":"NAME-visitor","messageId":"NAME-2","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","context":{},"integrations":{},"_metadata":null}],
            "sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // analytics-swift. Before its #76 it wrote a colon before the Z, which says no time: the
    // event is kept, with the server's.
    Client {
        name: "segment-swift",
        path: "/v1/b",
        headers: &[JSON_UTF8, "User-Agent: analytics-ios/1.9.1"],
        key: Body,
        packing: Plain,
        body: r#"{ "batch": [
            {"type":"identify","traits":{"email":"NAME@example.com"},"anonymousId":"NAME-visitor","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","context":{"instanceId":"1"},"integrations":{},"_metadata":{"bundled":[],"unbundled":[],"bundledIds":[]}},
            {"type":"track","event":"Opened","anonymousId":"NAME-visitor","messageId":"NAME-2","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z"},
            {"type":"screen","name":"Basket","category":"","anonymousId":"NAME-visitor","messageId":"NAME-3","userId":"NAME","timestamp":"2026-03-04T09:30:29:Z"}
            ],"sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123), (Screen, "Basket", MADE + 29_000)],
    },
    // analytics-kotlin: packed, and in chunks, as text.
    Client {
        name: "segment-kotlin",
        path: "/v1/b",
        headers: &[TEXT, "User-Agent: analytics-kotlin/1.19.0"],
        key: Body,
        packing: GzipInChunks,
        body: r#"{"batch":[
            {"traits":{"email":"NAME@example.com"},"type":"identify","messageId":"NAME-1","anonymousId":"NAME-visitor","context":{"library":{"name":"analytics-kotlin","version":"1.19.0"}},"integrations":{},"userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","_metadata":{}},
            {"properties":{},"event":"Opened","type":"track","messageId":"NAME-2","anonymousId":"NAME-visitor","context":{},"integrations":{},"userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","_metadata":{}},
            {"properties":{},"event":"Started","type":"track","messageId":"NAME-3","anonymousId":"NAME-visitor","context":{},"integrations":{},"userId":"","timestamp":"2026-03-04T09:30:00.123Z","_metadata":{}}],
            "sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123), (Event, "Started", MADE + 123)],
    },
    // analytics-react-native, with its proxy setting.
    Client {
        name: "segment-react-native",
        path: "/v1/b",
        headers: &[JSON_UTF8],
        key: Body,
        packing: Plain,
        body: r#"{"batch":[
            {"type":"identify","userId":"NAME","traits":{"email":"NAME@example.com"},"anonymousId":"NAME-visitor","messageId":"NAME-1","timestamp":"2026-03-04T09:30:00.123Z","context":{"library":{"name":"@segment/analytics-react-native","version":"2.21.0"}},"integrations":{},"_metadata":{"bundled":[],"unbundled":[],"bundledIds":[]}},
            {"type":"screen","name":"Basket","properties":{},"userId":"NAME","anonymousId":"NAME-visitor","messageId":"NAME-2","timestamp":"2026-03-04T09:30:00.123Z","context":{},"integrations":{}}],
            "sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Screen, "Basket", MADE + 123)],
    },
    // rudder-sdk-android: the profile is in `context.traits`, the time in `originalTimestamp`;
    // before identify() the user is empty.
    Client {
        name: "rudder-android",
        path: "/v1/batch",
        headers: &[JSON, "AnonymousId: dmlzaXRvcg=="],
        key: Basic,
        packing: Plain,
        body: r#"{"sentAt":"2026-03-04T10:00:00.000Z","batch":[
            {"messageId":"NAME-1","channel":"mobile","context":{"traits":{"anonymousId":"NAME-visitor"}},"type":"track","originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"","event":"Started","properties":{},"integrations":{"All":true}},
            {"messageId":"NAME-2","channel":"mobile","context":{"traits":{"anonymousId":"NAME-visitor","email":"NAME@example.com","userId":"NAME","id":"NAME"}},"type":"identify","originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","event":"identify","integrations":{"All":true}},
            {"messageId":"NAME-3","channel":"mobile","context":{"traits":{"email":"NAME@example.com"},"sessionId":1772616600},"type":"screen","originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","event":"Basket","name":"Basket","properties":{"name":"Basket"},"integrations":{"All":true}}]}"#,
        events: &[(Event, "Started", MADE + 123), (Screen, "Basket", MADE + 123)],
    },
    // rudder-sdk-ios, and those for Flutter and React Native, which send through the two.
    Client {
        name: "rudder-ios",
        path: "//v1/batch",
        headers: &[JSON, "AnonymousId: dmlzaXRvcg=="],
        key: Basic,
        packing: Gzip,
        body: r#"{"sentAt":"2026-03-04T10:00:00.000Z","batch":[
            {"messageId":"NAME-1","channel":"mobile","context":{"traits":{"email":"NAME@example.com","id":"NAME"}},"type":"identify","originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","event":"identify","integrations":{"All":true}},
            {"messageId":"NAME-2","channel":"mobile","context":{"traits":{"email":"NAME@example.com"}},"type":"track","originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","event":"Opened","properties":null,"integrations":{"All":true}}]}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // The newer rudder-sdk-kotlin and rudder-sdk-swift.
    Client {
        name: "rudder-kotlin",
        path: "/v1/batch",
        headers: &[JSON, "AnonymousId: dmlzaXRvcg=="],
        key: Basic,
        packing: GzipInChunks,
        body: r#"{"batch":[
            {"type":"identify","messageId":"NAME-1","context":{"traits":{"email":"NAME@example.com"}},"originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","channel":"mobile","integrations":{"All":true},"sentAt":"2026-03-04T10:00:00.000Z"},
            {"type":"track","messageId":"NAME-2","context":{"sessionId":1772616600,"sessionStart":true},"originalTimestamp":"2026-03-04T09:30:00.123Z","anonymousId":"NAME-visitor","userId":"NAME","channel":"mobile","integrations":{"All":true},"event":"Opened","properties":{},"sentAt":"2026-03-04T10:00:00.000Z"}],
            "sentAt":"2026-03-04T10:00:00.000Z"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // rudderlabs/analytics-go: each message has the time of sending, too; a data plane with a
    // slash at its end.
    Client {
        name: "rudder-go",
        path: "//v1/batch",
        headers: &[JSON, "User-Agent: analytics-go (version: 4.2.2)"],
        key: Basic,
        packing: Gzip,
        body: r#"{"batch":[
            {"type":"identify","messageId":"NAME-1","anonymousId":"","userId":"NAME","originalTimestamp":"2026-03-04T09:30:00.123456789Z","sentAt":"2026-03-04T10:00:00Z","context":{"library":{"name":"analytics-go","version":"4.2.2"},"traits":{"email":"NAME@example.com"}},"channel":"server"},
            {"type":"track","messageId":"NAME-2","userId":"NAME","event":"Opened","originalTimestamp":"2026-03-04T09:30:00.123456789Z","sentAt":"2026-03-04T10:00:00Z","channel":"server"}]}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // rudder-sdk-php: as Segment's, packed, with the user's name as a hint in a header.
    Client {
        name: "rudder-php",
        path: "/v1/batch",
        headers: &[JSON, "AnonymousId: YW5u", "User-Agent: rudder-analytics-php/2.0.2"],
        key: Basic,
        packing: Gzip,
        body: r#"{"batch":[
            {"userId":"NAME","traits":{"email":"NAME@example.com"},"context":{"library":{"name":"rudder-analytics-php","version":"2.0.2","consumer":"LibCurl"},"traits":[]},"timestamp":"2026-03-04T09:30:00+00:00","messageId":"NAME-1","type":"identify"},
            {"userId":"NAME","event":"Opened","properties":[],"context":[],"timestamp":"2026-03-04T10:30:00+01:00","messageId":"NAME-2","type":"track"}],
            "sentAt":"2026-03-04T10:00:00+00:00"}"#,
        events: &[(Event, "Opened", MADE)],
    },
    // rudder-sdk-ruby and rudder-sdk-java: as Segment's, at the path for batches.
    Client {
        name: "rudder-ruby",
        path: "/v1/batch",
        headers: &[JSON, "User-Agent: rudderanalytics-ruby/2.0.0"],
        key: Basic,
        packing: Gzip,
        body: r#"{"sentAt":"2026-03-04T10:00:00.000Z","batch":[
            {"anonymousId":null,"context":{"traits":{"email":"NAME@example.com"}},"integrations":null,"messageId":"NAME-1","timestamp":"2026-03-04T09:30:00.123Z","userId":"NAME","channel":"server","type":"identify","traits":{"email":"NAME@example.com"}},
            {"anonymousId":null,"context":{},"integrations":null,"messageId":"NAME-2","timestamp":"2026-03-04T09:30:00.123Z","userId":"NAME","channel":"server","type":"track","event":"Opened","properties":{}}]}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    Client {
        name: "rudder-java",
        path: "//v1/batch",
        headers: &[JSON, "User-Agent: analytics-java/3.1.0"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"type":"identify","messageId":"NAME-1","originalTimestamp":"2026-03-04T09:30:00.123Z","sentAt":"2026-03-04T10:00:00.000Z","context":{"traits":{"email":"NAME@example.com"}},"userId":"NAME","integrations":{},"channel":"server"},
            {"type":"track","messageId":"NAME-2","originalTimestamp":"2026-03-04T09:30:00.123Z","sentAt":"2026-03-04T10:00:00.000Z","context":{},"userId":"NAME","integrations":{},"channel":"server","event":"Opened","properties":{}}],
            "sentAt":"2026-03-04T10:00:00.000Z","sequence":1}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // rudder-sdk-.net: seven digits, a data plane with a slash at its end.
    Client {
        name: "rudder-net",
        path: "//v1/batch",
        headers: &[JSON, "User-Agent: RudderAnalytics.NET/2.0.1"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"traits":{"email":"NAME@example.com"},"type":"identify","messageId":"NAME-1","timestamp":"2026-03-04T09:30:00.1234567Z","userId":"NAME","anonymousId":"","context":{"traits":{"email":"NAME@example.com"}},"integrations":{}},
            {"event":"Opened","properties":{},"type":"track","messageId":"NAME-2","timestamp":"2026-03-04T09:30:00.1234567","userId":"NAME","anonymousId":null,"context":null,"integrations":null}],
            "messageId":"NAME-batch","sentAt":"2026-03-04T10:00:00.0000000Z"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // cdp-analytics-go and cdp-analytics-python: as Segment's.
    Client {
        name: "customerio-go",
        path: "/v1/batch",
        headers: &[JSON, "User-Agent: cdp-analytics-go (version: 0.0.1)"],
        key: Basic,
        packing: Plain,
        body: r#"{"messageId":"NAME-batch","sentAt":"2026-03-04T10:00:00Z","batch":[
            {"type":"identify","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00Z","traits":{"email":"NAME@example.com"}},
            {"type":"track","messageId":"NAME-2","userId":"NAME","event":"Opened","timestamp":"2026-03-04T09:30:00Z","properties":{}}],
            "context":{"library":{"name":"cdp-analytics-go","version":"0.0.1"}}}"#,
        events: &[(Event, "Opened", MADE)],
    },
    Client {
        name: "customerio-python",
        path: "/v1/batch",
        headers: &[JSON, "User-Agent: analytics-python/0.0.2"],
        key: Basic,
        packing: Gzip,
        body: r#"{"batch":[
            {"integrations":{},"anonymousId":null,"timestamp":"2026-03-04T09:30:00.123456+00:00","context":{"library":{"name":"analytics-python","version":"0.0.2"}},"type":"identify","userId":"NAME","traits":{"email":"NAME@example.com"},"messageId":"NAME-1"},
            {"integrations":{},"anonymousId":null,"properties":{},"timestamp":"2026-03-04T09:30:00.123456+00:00","context":{},"userId":"NAME","type":"track","event":"Opened","messageId":"NAME-2"}],
            "sentAt":"2026-03-04T10:00:00.000001+00:00"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // customerio-ios and customerio-android, and those for Flutter and React Native, which send
    // through the two: Segment's Swift and Kotlin.
    Client {
        name: "customerio-ios",
        path: "/v1/b",
        headers: &[JSON_UTF8],
        key: Body,
        packing: Plain,
        body: r#"{ "batch": [
            {"type":"identify","traits":{"email":"NAME@example.com"},"anonymousId":"NAME-visitor","messageId":"NAME-1","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z","context":{},"integrations":{}},
            {"type":"track","event":"Opened","properties":{},"anonymousId":"NAME-visitor","messageId":"NAME-2","userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z"}
            ],"sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    Client {
        name: "customerio-android",
        path: "/v1/b",
        headers: &[TEXT],
        key: Body,
        packing: GzipInChunks,
        body: r#"{"batch":[
            {"traits":{"email":"NAME@example.com"},"type":"identify","messageId":"NAME-1","anonymousId":"NAME-visitor","context":{},"integrations":{},"userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z"},
            {"properties":{},"event":"Opened","type":"track","messageId":"NAME-2","anonymousId":"NAME-visitor","context":{},"integrations":{},"userId":"NAME","timestamp":"2026-03-04T09:30:00.123Z"}],
            "sentAt":"2026-03-04T10:00:00.000Z","writeKey":"KEY"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
    // june-analytics-python: Segment's for Python, with a path of its own.
    Client {
        name: "june-python",
        path: "/sdk/batch",
        headers: &[JSON, "User-Agent: analytics-python/2.3.0"],
        key: Basic,
        packing: Plain,
        body: r#"{"batch":[
            {"integrations":{},"anonymousId":null,"timestamp":"2026-03-04T09:30:00.123456+00:00","context":{"library":{"name":"june-analytics-python","version":"2.3.0"}},"type":"identify","userId":"NAME","traits":{"email":"NAME@example.com"},"messageId":"NAME-1"},
            {"integrations":{},"anonymousId":null,"properties":{},"timestamp":"2026-03-04T09:30:00.123456+00:00","context":{},"userId":"NAME","type":"track","event":"Opened","messageId":"NAME-2"}],
            "sentAt":"2026-03-04T10:00:00.000001+00:00"}"#,
        events: &[(Event, "Opened", MADE + 123)],
    },
];
