//! Each recipe, for ten lifetimes of a token.

use std::fs;

use cdse_judge::real::Named;

use crate::recipe::{PRODUCT, Recipe};

pub(crate) const ALL: &[Named] = cdse_judge::named![
    cli13_curl_reads_for_ten_lifetimes_of_a_token,
    cli13_wget_reads_for_ten_lifetimes_of_a_token,
    cli13_gdal_reads_for_ten_lifetimes_of_a_token,
    cli13_rasterio_reads_for_ten_lifetimes_of_a_token,
    t1_curl_takes_no_token_to_a_stranger,
    t1_wget_takes_no_token_to_a_stranger,
    t1_gdal_takes_no_token_to_a_stranger,
    t1_rasterio_takes_no_token_to_a_stranger,
];

const CURL: (&str, &[&str]) = ("curl.md", &["sh", "curl"]);
const WGET: (&str, &[&str]) = ("wget.md", &["sh", "sed", "wget"]);
const GDAL: (&str, &[&str]) = ("gdal.md", &["sh", "gdalinfo"]);
const RASTERIO: (&str, &[&str]) = ("rasterio.md", &[]);

fn downloads((page, programs): (&str, &[&str])) {
    let recipe = Recipe::new(page, programs);
    recipe.run(1);
    let product = recipe.folder().join(format!("{PRODUCT}.zip"));
    let first = fs::read(&product).unwrap();
    assert!(first.starts_with(b"PK\x03\x04"));
    let recipe = Recipe::new(page, programs);
    recipe.lasts(460);
    assert!(fs::read(recipe.folder().join(format!("{PRODUCT}.zip"))).unwrap() == first);
}

/// All lines with this word, each of which must be the same.
fn reads((page, programs): (&str, &[&str]), word: &str, count: usize) {
    let recipe = Recipe::new(page, programs);
    let printed = recipe.lasts(count);
    let mut lines: Vec<&str> = printed.lines().filter(|line| line.contains(word)).collect();
    assert_eq!(lines.len(), count);
    lines.dedup();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

fn cli13_curl_reads_for_ten_lifetimes_of_a_token() {
    downloads(CURL);
}

fn cli13_wget_reads_for_ten_lifetimes_of_a_token() {
    downloads(WGET);
}

fn cli13_gdal_reads_for_ten_lifetimes_of_a_token() {
    reads(GDAL, "Checksum=56075", 75);
}

fn cli13_rasterio_reads_for_ten_lifetimes_of_a_token() {
    reads(RASTERIO, "256 192 56075", 75);
}

fn t1_curl_takes_no_token_to_a_stranger() {
    Recipe::new(CURL.0, CURL.1).takes_no_token_to_a_stranger(true);
}

fn t1_wget_takes_no_token_to_a_stranger() {
    Recipe::new(WGET.0, WGET.1).takes_no_token_to_a_stranger(false);
}

fn t1_gdal_takes_no_token_to_a_stranger() {
    Recipe::new(GDAL.0, GDAL.1).takes_no_token_to_a_stranger(true);
}

fn t1_rasterio_takes_no_token_to_a_stranger() {
    Recipe::new(RASTERIO.0, RASTERIO.1).takes_no_token_to_a_stranger(true);
}
