use cdse_sandbox::Sandbox;
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::client::{Calls, Reply, Wire, get, request, sandbox};

fn at(sandbox: &Sandbox, path: &str) -> Reply {
    get(&format!("{}{path}", sandbox.stac_url()), None)
}

fn search(sandbox: &Sandbox, body: &Value) -> Reply {
    let mut wire = Wire::open_at(&sandbox.stac_url());
    wire.send("POST", "/v1/search", &[("content-type", "application/json")], &body.to_string());
    wire.read().unwrap()
}

fn ids(found: &Value) -> Vec<&str> {
    found["features"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn next(found: &Value) -> Option<&Value> {
    found["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next")
}

#[test]
fn data_the_landing_page_leads_to_the_search() {
    let sandbox = sandbox();
    for path in ["/v1/", "/v1"] {
        let landing = at(&sandbox, path).json();
        assert_eq!(landing["stac_version"], "1.1.0");
        let links = landing["links"].as_array().unwrap().iter();
        let found: Vec<_> = links.filter(|link| link["rel"] == "search").map(|link| &link["method"]).collect();
        assert_eq!(found, ["GET", "POST"]);
        assert_eq!(landing["links"][3]["href"], format!("{}/v1/search", sandbox.stac_url()));
    }
}

#[test]
fn data_collections_come_in_pages_and_an_unknown_one_is_missing() {
    let sandbox = sandbox();
    let page = at(&sandbox, "/v1/collections?limit=2").json();
    assert_eq!(page["collections"][1]["id"], "sentinel-2-l1c");
    let link = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next").unwrap();
    let page = get(link["href"].as_str().unwrap(), None).json();
    let last: Vec<_> = page["collections"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(last, ["sentinel-2-l2a"]);
    assert!(page["links"].as_array().unwrap().iter().all(|link| link["rel"] != "next"));
    assert_eq!(at(&sandbox, "/v1/collections/sentinel-1-grd").json()["type"], "Collection");
    let reply = at(&sandbox, "/v1/collections/SENTINEL-2");
    assert_eq!(reply.status, 404);
    assert!(reply.text().starts_with(r#"{"code":"NotFoundError","description":""#));
}

#[test]
fn data_an_item_is_the_product_and_its_assets_are_what_it_says() {
    let sandbox = sandbox();
    let token = sandbox.login().access;
    let id = "S1A_IW_GRDH_1SSV_20240607T050413_20240607T050438_054213_0697F4_5B1A";
    let item = at(&sandbox, &format!("/v1/collections/sentinel-1-grd/items/{id}")).json();
    assert_eq!((&item["id"], &item["collection"]), (&json!(id), &json!("sentinel-1-grd")));
    let discovery = format!("{}/.well-known/openid-configuration", sandbox.realm_url());
    assert_eq!(item["properties"]["auth:schemes"]["oidc"]["openIdConnectUrl"], discovery);
    let assets = item["assets"].as_object().unwrap();
    assert_eq!(assets.keys().collect::<Vec<_>>(), ["Product", "safe_manifest", "schema-product-vv", "vv"]);
    for (key, asset) in assets {
        let href = if key == "Product" { &asset["href"] } else { &asset["alternate"]["https"]["href"] };
        let href = href.as_str().unwrap();
        assert!(href.starts_with(&sandbox.download_url()), "{href}");
        let body = get(href, Some(&token)).body;
        assert_eq!(asset["file:size"], body.len());
        assert_eq!(asset["file:checksum"], format!("d50110{}", HEXLOWER.encode(&Md5::digest(&body))));
    }
    assert_eq!(assets["vv"]["href"].as_str().unwrap().split('/').nth(2), Some("eodata"));
    assert_eq!(at(&sandbox, "/v1/collections/sentinel-1-grd/items/x").json()["code"], "NotFoundError");
}

#[test]
fn data_a_search_is_walked_by_its_links() {
    let sandbox = sandbox();
    let body = json!({ "collections": ["sentinel-2-l1c", "sentinel-2-l2a"], "limit": 1 });
    let first = search(&sandbox, &body).json();
    assert_eq!((&first["type"], &first["numberReturned"]), (&json!("FeatureCollection"), &json!(1)));
    assert_eq!(first.get("numberMatched"), None);
    let expected = json!({
        "rel": "next", "type": "application/geo+json", "method": "POST",
        "href": format!("{}/v1/search", sandbox.stac_url()),
        "body": {
            "collections": ["sentinel-2-l1c", "sentinel-2-l2a"], "limit": 1,
            "token": format!("next:sentinel-2-l1c:{}", ids(&first)[0]),
        },
    });
    assert_eq!(next(&first), Some(&expected));
    let second = search(&sandbox, &expected["body"]).json();
    assert!(ids(&second)[0].starts_with("S2B_MSIL2A"));
    assert_eq!(next(&second), None);

    let all = at(&sandbox, "/v1/search").json();
    let mut walked = at(&sandbox, "/v1/search?limit=1&collections=sentinel-1-grd,sentinel-2-l2a").json();
    assert!(ids(&walked)[0].starts_with("S1A_"));
    let link = next(&walked).unwrap()["href"].as_str().unwrap().to_owned();
    assert!(link.contains("/v1/search?limit=1&") && link.contains("&token=next"), "{link}");
    walked = get(&link, None).json();
    assert_eq!((ids(&walked), next(&walked)), (vec![ids(&all)[2]], None));
    assert_eq!(ids(&all).len(), 3);
}

#[test]
fn data_a_search_by_id_or_in_an_unknown_collection() {
    let sandbox = sandbox();
    let all = search(&sandbox, &json!({})).json();
    let id = ids(&all)[1];
    assert_eq!(ids(&search(&sandbox, &json!({ "ids": [id] })).json()), [id]);
    assert_eq!(ids(&at(&sandbox, &format!("/v1/search?ids={id}")).json()), [id]);
    let none = search(&sandbox, &json!({ "collections": ["SENTINEL-2"] }));
    assert_eq!((none.status, &none.json()["features"]), (200, &json!([])));
}

#[test]
fn data_a_search_that_is_not_understood_is_refused() {
    let sandbox = sandbox();
    for body in [json!({ "limit": 0 }), json!({ "bbox": [0, 0, 1, 1] }), json!({ "token": "next:x:y" }), json!([])] {
        assert_eq!(search(&sandbox, &body).status, 400, "{body}");
    }
    assert_eq!(at(&sandbox, "/v1/search?limit=many").status, 400);
    for path in ["/", "/v2", "/v1x", "/v1/queryables"] {
        assert_eq!(at(&sandbox, path).status, 404, "{path}");
    }
    assert_eq!(request("DELETE", &format!("{}/v1/search", sandbox.stac_url()), None).status, 405);
}
