use std::time::Duration;

use cdse_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use crate::client::{Calls, Reply, Wire, encode, get, request, sandbox, sandbox_with};

const S1: &str = "S1A_IW_GRDH_1SSV_20240607T050413_20240607T050438_054213_0697F4_5B1A.SAFE";
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

fn list(sandbox: &Sandbox, options: &[(&str, &str)]) -> Reply {
    get(&format!("{}/odata/v1/Products?{}", sandbox.catalogue_url(), encode(options)), None)
}

fn names(reply: &Reply) -> Vec<String> {
    let list = reply.json();
    list["value"].as_array().unwrap().iter().map(|product| product["Name"].as_str().unwrap().to_owned()).collect()
}

fn id_of(sandbox: &Sandbox, name: &str) -> String {
    let found = list(sandbox, &[("$filter", &format!("Name eq '{name}'"))]).json();
    found["value"][0]["Id"].as_str().unwrap().to_owned()
}

#[test]
fn data_a_download_is_redirected_to_its_host_whatever_the_token() {
    let sandbox = sandbox();
    for path in [
        format!("/odata/v1/Products({UNKNOWN})/$value"),
        format!("/odata/v1/Products({UNKNOWN})/Nodes(a.SAFE)/Nodes(b%20c)/$value?x=1"),
        format!("/odata/v1/Products({UNKNOWN})/Nodes"),
        "/odata/v1/Products(nonsense)/$value".to_owned(),
    ] {
        for token in [None, Some("garbage"), Some(sandbox.login().access.as_str())] {
            let reply = get(&format!("{}{path}", sandbox.catalogue_url()), token);
            let location = format!("{}{path}", sandbox.download_url());
            assert_eq!((reply.status, reply.header("location")), (301, Some(location.as_str())));
        }
    }
}

#[test]
fn data_a_list_has_the_recorded_form() {
    let sandbox = sandbox();
    let reply = list(&sandbox, &[("$filter", &format!("Name eq '{S1}'")), ("$top", "1"), ("$count", "True")]);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let text = reply.text();
    let keys = [
        r#"{"@odata.context":"$metadata#Products","@odata.count":1,"value":[{"@odata.mediaContentType":"#,
        r#","Id":""#,
        r#","Name":"S1A_"#,
        r#","ContentType":"application/octet-stream","ContentLength":"#,
        r#","OriginDate":""#,
        r#","PublicationDate":""#,
        r#","ModificationDate":""#,
        r#","Online":true,"EvictionDate":"9999-12-31T23:59:59.999999Z","S3Path":"/eodata/"#,
        r#","Checksum":[{"Value":""#,
        r#","Algorithm":"MD5","ChecksumDate":""#,
        r#","ContentDate":{"Start":""#,
        r#","Footprint":"geography'SRID=4326;POLYGON (("#,
        r#","GeoFootprint":{"type":"Polygon","coordinates":[[["#,
        r#"}],"@odata.nextLink":"http://127.0.0.1:"#,
    ];
    let mut place = 0;
    for key in keys {
        place += text[place..].find(key).unwrap_or_else(|| panic!("{key} after {place} in {text}")) + key.len();
    }
    let next = format!(
        "{}/odata/v1/Products?%24filter=Name+eq+%27{S1}%27&%24top=1&%24count=True&%24skip=1",
        sandbox.catalogue_url()
    );
    assert_eq!(reply.json()["@odata.nextLink"], next);
    let reply = get(&next, None).json();
    assert_eq!((&reply["value"], &reply["@odata.nextLink"]), (&json!([]), &Value::Null));
}

#[test]
fn data_pages_follow_each_other_and_a_short_one_has_no_link() {
    let sandbox = sandbox();
    let all = names(&list(&sandbox, &[]));
    assert_eq!(all.len(), 4);
    let mut walked = Vec::new();
    let mut next = Some(format!("{}/odata/v1/Products?%24skip=0&%24top=3", sandbox.catalogue_url()));
    // One more than there are, lest a link that leads back is followed for ever.
    for _ in 0..3 {
        let Some(url) = next.take() else { break };
        let reply = get(&url, None);
        walked.push(names(&reply));
        next = reply.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(walked.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(walked.concat(), all);
}

#[test]
fn data_a_filter_finds_by_name_and_collection() {
    let sandbox = sandbox();
    let found = |filter: &str| names(&list(&sandbox, &[("$filter", filter)]));
    assert_eq!(found(&format!("Name eq '{S1}'")), [S1]);
    assert_eq!(found("Collection/Name eq 'SENTINEL-1' and contains(Name,'_GRDH_')"), [S1]);
    assert_eq!(found("startswith(Name,'S2B_MSIL')").len(), 2);
    assert_eq!(found("startswith(Name,'MSIL')").len(), 0);
    assert_eq!(found("Collection/Name eq 'SENTINEL-2' and Collection/Name eq 'SENTINEL-1'").len(), 0);
}

#[test]
fn data_a_filter_of_another_form_is_refused() {
    let sandbox = sandbox();
    let reply = list(&sandbox, &[("$filter", "Name eq 'x' or Online eq true")]);
    assert_eq!(reply.status, 400);
    let detail = &reply.json()["detail"];
    assert_eq!(detail["message"], "Error during parsing at index 12");
    assert_eq!(detail["request_id"].as_str(), reply.header("request-id"));
}

#[test]
fn data_wrong_options_are_answered_as_recorded() {
    let sandbox = sandbox();
    for (name, value, expected) in [
        (
            "$top",
            "-1",
            r#"{"detail":[{"type":"greater_than_equal","loc":["query","$top"],"msg":"Input should be greater than or equal to 0","input":"-1","ctx":{"error":{}}}]}"#,
        ),
        (
            "$top",
            "1001",
            r#"{"detail":[{"type":"less_than_equal","loc":["query","$top"],"msg":"Input should be less than or equal to 1000","input":"1001","ctx":{"error":{}}}]}"#,
        ),
        (
            "$skip",
            "10001",
            r#"{"detail":[{"type":"less_than_equal","loc":["query","$skip"],"msg":"Input should be less than or equal to 10000","input":"10001","ctx":{"error":{}}}]}"#,
        ),
    ] {
        let reply = list(&sandbox, &[(name, value)]);
        assert_eq!((reply.status, reply.text()), (422, expected));
    }
    for (name, expected) in [
        ("$expand", "Expand parameter only accepts following values: Assets, Attributes, Locations."),
        (
            "$orderby",
            "Invalid value: Invalid field name in the order by clause. Please use only 'asc' or 'desc' for sorting.",
        ),
        ("$select", "Invalid field in select: test"),
    ] {
        let reply = list(&sandbox, &[(name, "test")]);
        assert_eq!((reply.status, reply.json()["detail"]["message"].as_str()), (400, Some(expected)));
    }
}

#[test]
fn data_more_or_less_of_a_product_is_shown_as_asked() {
    let sandbox = sandbox();
    let reply = list(&sandbox, &[("$orderby", "ContentDate/Start desc"), ("$expand", "Attributes"), ("$top", "1")]);
    let reply = reply.json();
    assert_eq!(reply["@odata.context"], "$metadata#Products(Attributes())");
    assert!(reply["value"][0]["Name"].as_str().unwrap().starts_with("S2B_"));
    let types = reply["value"][0]["Attributes"].as_array().unwrap().iter().find(|one| one["Name"] == "productType");
    assert_eq!(types.unwrap()["@odata.type"], "#OData.CSC.StringAttribute");
    let reply = list(&sandbox, &[("$select", "Name, Online"), ("$top", "1")]).json();
    let keys: Vec<_> = reply["value"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["@odata.mediaContentType", "Id", "Name", "Online"]);
}

#[test]
fn data_one_product_is_found_by_its_id() {
    let sandbox = sandbox();
    let id = id_of(&sandbox, S1);
    let at = |id: &str| get(&format!("{}/odata/v1/Products({id})", sandbox.catalogue_url()), None);
    let reply = at(&id);
    assert!(reply.text().starts_with(r#"{"@odata.context":"$metadata#Products/$entity","@odata.mediaContentType":"#));
    assert_eq!((reply.status, &reply.json()["Name"]), (200, &json!(S1)));
    assert_eq!(at(UNKNOWN).status, 404);
    assert_eq!(at("nonsense").status, 422);
}

#[test]
fn data_the_catalogue_is_open_but_refuses_a_token_that_has_expired() {
    let sandbox = sandbox();
    let url = format!("{}/odata/v1/Products", sandbox.catalogue_url());
    let access = sandbox.login().access;
    assert_eq!(get(&url, None).status, 200);
    assert_eq!(get(&url, Some(&access)).status, 200);
    sandbox.advance(Duration::from_secs(601));
    assert_eq!(get(&url, Some(&access)).status, 403);
    assert_eq!(get(&url, Some("garbage")).status, 403);
    assert_eq!(get(&url, None).status, 200);
}

#[test]
fn data_the_service_root_and_other_paths_are_not_found() {
    let sandbox = sandbox();
    for path in ["/odata/v1", "/odata/v1/", "/odata/v1/$metadata", "/", "/sandbox/counters", "/odata/v1/Productsx"] {
        assert_eq!(get(&format!("{}{path}", sandbox.catalogue_url()), None).status, 404, "{path}");
    }
    assert_eq!(request("POST", &format!("{}/odata/v1/Products", sandbox.catalogue_url()), None).status, 405);
}

#[test]
fn data_the_hosts_are_on_the_ports_after_the_identity_services() {
    let sandbox = sandbox();
    let port = sandbox.address().port();
    let urls = [sandbox.catalogue_url(), sandbox.download_url(), sandbox.stac_url()];
    assert_eq!(urls, [1, 2, 3].map(|offset| format!("http://127.0.0.1:{}", port + offset)));
    drop(sandbox);
    let again = sandbox_with(|config| config.port = port);
    assert_eq!(again.stac_url(), urls[2]);
    for taken in [port - 1, port, port + 3] {
        assert!(Sandbox::start(Config { port: taken, ..Config::default() }).is_err());
    }
    assert!(Sandbox::start(Config { port: u16::MAX, ..Config::default() }).is_err());
    // The host's name does not matter.
    let mut wire = Wire::open_at(&again.catalogue_url());
    wire.send("GET", "/odata/v1/Products", &[("host", &format!("localhost:{}", port + 1))], "");
    assert_eq!(wire.read().unwrap().status, 200);
}
