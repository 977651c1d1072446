use std::time::Duration;

use cdse_sandbox::{Endpoint, Host, Sandbox};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use serde_json::Value;

use crate::client::{Calls, Reply, Wire, get, request, sandbox, sandbox_with, until};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

fn product(sandbox: &Sandbox, beginning: &str) -> Value {
    let url = format!("{}/odata/v1/Products?$filter=startswith(Name,%27{beginning}%27)", sandbox.catalogue_url());
    get(&url, None).json()["value"][0].clone()
}

fn url(sandbox: &Sandbox, product: &Value, below: &str) -> String {
    format!("{}/odata/v1/Products({}){below}", sandbox.download_url(), product["Id"].as_str().unwrap())
}

fn md5(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Md5::digest(bytes))
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, message: &str) {
    let json = reply.json();
    assert_eq!((reply.status, json["code"].as_str(), json["message"].as_str()), (status, Some(code), Some(message)));
    let trace = json["trace-id"].as_str().unwrap();
    assert!(trace.len() == 32 && reply.text().starts_with(&format!(r#"{{"trace-id":"{trace}","code":"#)), "{trace}");
}

#[test]
fn data_a_product_is_an_archive_of_its_files_as_the_catalogue_describes_it() {
    let sandbox = sandbox();
    let token = sandbox.login().access;
    for beginning in ["S1A_IW", "S2B_MSIL1C", "S2B_MSIL2A"] {
        let product = product(&sandbox, beginning);
        let name = product["Name"].as_str().unwrap();
        let reply = get(&url(&sandbox, &product, "/$value"), Some(&token));
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/zip")));
        let disposition = format!("attachment; filename={name}.zip");
        assert_eq!(reply.header("content-disposition"), Some(disposition.as_str()));
        for absent in ["accept-ranges", "etag", "last-modified", "transfer-encoding"] {
            assert_eq!(reply.header(absent), None);
        }
        assert_eq!(product["ContentLength"], reply.body.len());
        assert_eq!(product["Checksum"][0]["Value"], md5(&reply.body));
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&reply.body)).unwrap();
        assert!(archive.len() > 3);
        for index in 0..archive.len() {
            let entry = archive.by_index(index).unwrap();
            assert!(entry.name().unwrap().starts_with(&format!("{name}/")));
            assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        }
        let mut manifest = archive.by_name(&format!("{name}/manifest.safe")).unwrap();
        assert!(std::io::read_to_string(&mut manifest).unwrap().contains("<dataObjectSection>"));
    }
}

#[test]
fn data_a_product_of_one_file_is_delivered_as_itself() {
    let sandbox = sandbox();
    let product = product(&sandbox, "S1A_OPER");
    let name = product["Name"].as_str().unwrap();
    let reply = get(&url(&sandbox, &product, "/$value"), Some(&sandbox.login().access));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    assert_eq!(reply.header("content-disposition"), Some(format!("attachment; filename={name}").as_str()));
    assert!(reply.text().starts_with("<?xml"));
    assert_eq!(product["Checksum"][0]["Value"], md5(&reply.body));
    assert_eq!((&product["Footprint"], &product["GeoFootprint"]), (&Value::Null, &Value::Null));
    let nodes = get(&url(&sandbox, &product, "/Nodes"), None).json();
    assert_eq!((&nodes["result"][0]["Name"], &nodes["result"][1]), (&Value::from(name), &Value::Null));
}

#[test]
fn data_a_range_is_ignored() {
    let sandbox = sandbox();
    let bearer = format!("Bearer {}", sandbox.login().access);
    let product = product(&sandbox, "S1A_IW");
    let mut wire = Wire::open_at(&sandbox.download_url());
    let path = crate::client::path_of(&url(&sandbox, &product, "/$value"));
    wire.send("GET", &path, &[("authorization", &bearer), ("range", "bytes=10-20")], "");
    let reply = wire.read().unwrap();
    assert_eq!((reply.status, reply.header("content-range")), (200, None));
    assert_eq!(product["ContentLength"], reply.body.len());
}

/// The files below a list of nodes, found by following the links, with what the lists say of their length.
fn walk(list: &str, files: &mut Vec<(String, u64)>) {
    for node in get(list, None).json()["result"].as_array().unwrap() {
        assert_eq!(node["Id"], node["Name"]);
        let uri = node["Nodes"]["uri"].as_str().unwrap();
        let below = get(uri, None).json()["result"].as_array().unwrap().len();
        assert_eq!(node["ChildrenNumber"], below);
        if below == 0 {
            files.push((uri.strip_suffix("/Nodes").unwrap().to_owned(), node["ContentLength"].as_u64().unwrap()));
        } else {
            assert_eq!(node["ContentLength"], 0);
            walk(uri, files);
        }
    }
}

#[test]
fn data_nodes_lead_from_the_product_to_the_bytes_of_its_files() {
    let sandbox = sandbox();
    let token = sandbox.login().access;
    let product = product(&sandbox, "S1A_IW");
    let mut files = Vec::new();
    walk(&url(&sandbox, &product, "/Nodes"), &mut files);
    assert_eq!(files.len(), 3);
    for (node, length) in files {
        let reply = get(&format!("{node}/$value"), Some(&token));
        assert_eq!((reply.status, reply.body.len() as u64), (200, length), "{node}");
        if node.ends_with(".tiff)") {
            assert!(reply.body.starts_with(b"II\x2a\0"));
        }
    }
}

#[test]
fn data_the_manifest_has_the_checksums_of_the_other_files() {
    let sandbox = sandbox();
    let token = sandbox.login().access;
    let product = product(&sandbox, "S2B_MSIL2A");
    let root = format!("/Nodes({})", product["Name"].as_str().unwrap());
    let value = |below: &str| get(&url(&sandbox, &product, &format!("{root}{below}/$value")), Some(&token)).body;
    let manifest = String::from_utf8(value("/Nodes(manifest.safe)")).unwrap();
    let metadata = value("/Nodes(MTD_MSIL2A.xml)");
    assert!(manifest.contains(&format!("<checksum checksumName=\"MD5\">{}</checksum>", md5(&metadata))));
}

#[test]
fn data_a_folder_is_delivered_as_an_archive_of_it() {
    let sandbox = sandbox();
    let product = product(&sandbox, "S1A_IW");
    let below = format!("/Nodes({})/Nodes(measurement)/$value", product["Name"].as_str().unwrap());
    let reply = get(&url(&sandbox, &product, &below), Some(&sandbox.login().access));
    assert_eq!(reply.header("content-disposition"), Some("attachment; filename=measurement.zip"));
    let archive = zip::ZipArchive::new(std::io::Cursor::new(&reply.body)).unwrap();
    assert!(archive.file_names().all(|name| name.unwrap().starts_with("measurement/")));
}

#[test]
fn data_a_download_needs_a_good_token_of_a_user() {
    let sandbox = sandbox();
    let url = url(&sandbox, &product(&sandbox, "S1A_IW"), "/$value");
    let tokens = sandbox.login();
    refused(&get(&url, None), 401, "DAT-ZIP-604", "Token not found");
    refused(&get(&url, Some("garbage")), 401, "DAT-ZIP-109", "Token is invalid");
    let fields = [("grant_type", "client_credentials"), ("client_id", "sh-client"), ("client_secret", "sh-secret")];
    let service = sandbox.token(&fields).json()["access_token"].as_str().unwrap().to_owned();
    refused(&get(&url, Some(&service)), 401, "DAT-ZIP-609", "Token audience not allowed");
    sandbox.advance(Duration::from_secs(601));
    refused(&get(&url, Some(&tokens.access)), 401, "DAT-ZIP-109", "Token is expired");
    let tokens = sandbox.login();
    assert_eq!(get(&url, Some(&tokens.access)).status, 200);
    sandbox.logout(&tokens.refresh);
    refused(&get(&url, Some(&tokens.access)), 401, "DAT-ZIP-109", "Token is invalid");
    let counters = sandbox.counters();
    assert_eq!((counters.downloads_ok, counters.downloads_refused, counters.max_concurrent_downloads), (1, 5, 1));
    assert_eq!((counters.resource_ok, counters.resource_refused), (0, 0));
}

#[test]
fn data_wrong_paths_are_told_apart() {
    let sandbox = sandbox();
    let token = sandbox.login().access;
    let at = |path: &str| get(&format!("{}{path}", sandbox.download_url()), Some(&token));
    let malformed = "Malformed OData request path";
    refused(&at(&format!("/odata/v1/Products({UNKNOWN})/Nodes('x')/$value")), 400, "DAT-ZIP-104", malformed);
    refused(&at("/"), 400, "DAT-ZIP-104", malformed);
    refused(&at(&format!("/odata/v1/Products({UNKNOWN})")), 400, "DAT-ZIP-104", malformed);
    refused(&at("/odata/v1/Products(nonsense)/$value"), 422, "DAT-ZIP-111", "Malformed product id");
    refused(&at(&format!("/odata/v1/Products({UNKNOWN})/$value")), 404, "DAT-ZIP-999", "Not found");
    refused(&at(&format!("/odata/v1/Products({UNKNOWN})/Nodes")), 404, "DAT-ZIP-999", "Not found");
    let product = product(&sandbox, "S1A_IW");
    assert_eq!(get(&url(&sandbox, &product, "/Nodes(missing)/$value"), Some(&token)).status, 404);
}

#[test]
fn data_only_get_is_allowed() {
    let sandbox = sandbox();
    let url = url(&sandbox, &product(&sandbox, "S1A_IW"), "/$value");
    let token = sandbox.login().access;
    assert_eq!(request("POST", &url, Some(&token)).status, 405);
    let mut wire = Wire::open_at(&url);
    wire.send_bearer("HEAD", &url, Some(&token));
    wire.send_bearer("GET", &url, Some(&token));
    // The answer to HEAD has no body, and the one after it follows at once.
    assert_eq!(wire.read_head().unwrap().status, 405);
    assert_eq!(wire.read().unwrap().status, 200);
}

#[test]
fn data_an_account_has_four_deliveries_at_one_time() {
    let sandbox = sandbox_with(|config| config.large_product_bytes = Some(24 * 1024 * 1024));
    let url = url(&sandbox, &product(&sandbox, "LC08"), "/$value");
    let token = sandbox.login().access;
    let mut wires: Vec<_> = (0..4)
        .map(|_| {
            let mut wire = Wire::open_at(&url);
            wire.send_bearer("GET", &url, Some(&token));
            assert_eq!(wire.read_head().unwrap().status, 200);
            wire
        })
        .collect();
    refused(&get(&url, Some(&token)), 429, "DAT-ZIP-100", "Max session number 4 exceeded.");
    // Sessions of one user are one account; another user is another.
    assert_eq!(get(&url, Some(&sandbox.login().access)).status, 429);
    let other = sandbox.password("offline@example.com", crate::client::PASSWORD).tokens().access;
    assert_eq!(get(&url, Some(&other)).status, 200);
    assert_eq!(sandbox.counters().max_concurrent_downloads, 5);

    // One that is left makes room, and so does one that is read to its end.
    drop(wires.pop());
    until(|| get(&url, Some(&token)).status == 200);
    let mut last = Wire::open_at(&url);
    last.send_bearer("GET", &url, Some(&token));
    until(|| get(&url, Some(&token)).status == 429);
    assert_eq!(last.read().unwrap().status, 200);
    until(|| get(&url, Some(&token)).status == 200);
}

#[test]
fn data_a_large_product_is_as_large_as_asked_and_has_a_true_checksum() {
    let bytes = 3 * 1024 * 1024 + 17;
    let sandbox = sandbox_with(|config| config.large_product_bytes = Some(bytes));
    let product = product(&sandbox, "LC08");
    assert_eq!(product["ContentLength"], bytes);
    let reply = get(&url(&sandbox, &product, "/$value"), Some(&sandbox.login().access));
    assert_eq!(reply.body.len() as u64, bytes);
    assert!(reply.body.iter().all(|&byte| byte == 0));
    assert_eq!(product["Checksum"][0]["Value"], md5(&reply.body));
}

#[test]
fn data_requests_are_logged_with_their_host() {
    let sandbox = sandbox();
    let path = format!("/odata/v1/Products({UNKNOWN})/$value");
    get(&format!("{}{path}", sandbox.catalogue_url()), Some("garbage"));
    get(&format!("{}{path}", sandbox.download_url()), None);
    get(&format!("{}/v1/", sandbox.stac_url()), None);
    sandbox.resource("garbage");
    let seen: Vec<_> = sandbox
        .requests()
        .into_iter()
        .map(|request| (request.connection, request.host, request.endpoint, request.authorization, request.status))
        .collect();
    let expected = [
        (1, Host::Catalogue, Endpoint::Catalogue, true, Some(301)),
        (2, Host::Download, Endpoint::Download, false, Some(401)),
        (3, Host::Stac, Endpoint::Stac, false, Some(200)),
        (4, Host::Identity, Endpoint::Resource, true, Some(401)),
    ];
    assert_eq!(seen, expected);
    let log = sandbox.call("GET", "/sandbox/requests", &[], "").json();
    assert_eq!((&log[1]["host"], &log[1]["endpoint"]), (&Value::from("download"), &Value::from("download")));
}
