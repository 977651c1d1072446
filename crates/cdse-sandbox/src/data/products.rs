//! The products that there are. They are invented, and each run has the same: ids, times, bytes and checksums.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::content::Content;
use super::geotiff::{self, Grid};
use super::node::Node;
use super::product::{About, Attribute, Bounds, Product};

/// Made when they are first asked for, once in a process.
static BUILT_IN: LazyLock<[Product; 4]> = LazyLock::new(|| [sentinel_1(), orbit(), sentinel_2_l1c(), sentinel_2_l2a()]);

#[derive(Debug)]
pub(crate) struct Products {
    large: Option<Product>,
}

impl Products {
    pub(crate) fn new(large_bytes: Option<u64>) -> Self {
        Self { large: large_bytes.map(large) }
    }

    /// All of them, in the order in which they are listed.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Product> {
        BUILT_IN.iter().chain(&self.large)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Product> {
        self.all().find(|product| product.about.id.eq_ignore_ascii_case(id))
    }
}

const S1_NAME: &str = "S1A_IW_GRDH_1SSV_20240607T050413_20240607T050438_054213_0697F4_5B1A.SAFE";
const S1_IMAGE: &str = "s1a-iw-grd-vv-20240607t050413-20240607t050438-054213-0697f4-001";

/// What the radar image covers, which is a real one in size and place only.
const S1_GRID: Grid = Grid { width: 256, height: 192, west: 20.0, north: 52.0, step: 0.005 };

fn sentinel_1() -> Product {
    let bounds = Bounds {
        west: S1_GRID.west,
        south: S1_GRID.north - f64::from(S1_GRID.height) * S1_GRID.step,
        east: S1_GRID.west + f64::from(S1_GRID.width) * S1_GRID.step,
        north: S1_GRID.north,
    };
    // Stripes that no compression and no mistake of the reader leaves as they are.
    let image = geotiff::encode(S1_GRID, |column, row| ((column * column + 7 * row * row) % 4093 + 1) as u16);
    let annotation = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<product>\n  <adsHeader>\n    <missionId>S1A</missionId>\n    \
         <productType>GRD</productType>\n    <polarisation>VV</polarisation>\n    <mode>IW</mode>\n  </adsHeader>\n  \
         <imageAnnotation>\n    <imageInformation>\n      <numberOfSamples>{}</numberOfSamples>\n      \
         <numberOfLines>{}</numberOfLines>\n    </imageInformation>\n  </imageAnnotation>\n</product>\n",
        S1_GRID.width, S1_GRID.height
    );
    let measurement = format!("measurement/{S1_IMAGE}.tiff");
    let annotation_path = format!("annotation/{S1_IMAGE}.xml");
    let files = vec![(annotation_path.clone(), annotation.into()), (measurement.clone(), image.into())];
    let about = About {
        id: "7b0c1f52-3d64-4c0e-9a51-2f6d8e4b1a01",
        name: S1_NAME,
        collection: "SENTINEL-1",
        stac_collection: Some("sentinel-1-grd"),
        start: "2024-06-07T05:04:13.347125Z",
        end: "2024-06-07T05:04:38.346181Z",
        published: "2024-06-07T06:12:31.120384Z",
        s3_folder: "/eodata/Sentinel-1/SAR/IW_GRDH_1S/2024/06/07",
        bounds: Some(bounds),
        attributes: attributes("SENTINEL-1", "A", "SAR", "IW_GRDH_1S", 54213),
        properties: json!({
            "platform": "sentinel-1a", "constellation": "sentinel-1", "instruments": ["sar"], "processing:level": "L1",
            "product:type": "IW_GRDH_1S", "sar:instrument_mode": "IW", "sar:polarizations": ["VV"],
            "sat:absolute_orbit": 54213, "sat:orbit_state": "descending",
        }),
        assets: vec![
            ("safe_manifest", "manifest.safe".to_owned()),
            ("schema-product-vv", annotation_path),
            ("vv", measurement),
        ],
    };
    safe("esa/safe/sentinel-1.0/sentinel-1/sar/level-1/standard/iwdp", about, files)
}

/// A single file, which is delivered as itself, and covers no place on the ground.
fn orbit() -> Product {
    const NAME: &str = "S1A_OPER_AUX_POEORB_OPOD_20240627T070842_V20240606T225942_20240608T005942.EOF";
    let file = format!(
        "<?xml version=\"1.0\"?>\n<Earth_Explorer_File>\n  <Earth_Explorer_Header>\n    <Fixed_Header>\n      \
         <File_Name>{}</File_Name>\n      <File_Type>AUX_POEORB</File_Type>\n    </Fixed_Header>\n  \
         </Earth_Explorer_Header>\n  <Data_Block type=\"xml\">\n    <List_of_OSVs count=\"0\"/>\n  </Data_Block>\n\
         </Earth_Explorer_File>\n",
        NAME.trim_end_matches(".EOF")
    );
    let about = About {
        id: "0d9e4a36-8f21-4b7a-b3c5-6a1e7f2d9b02",
        name: NAME,
        collection: "SENTINEL-1",
        stac_collection: None,
        start: "2024-06-06T22:59:42.000000Z",
        end: "2024-06-08T00:59:42.000000Z",
        published: "2024-06-27T07:20:05.000000Z",
        s3_folder: "/eodata/Sentinel-1/AUX/AUX_POEORB/2024/06/06",
        bounds: None,
        attributes: vec![
            ("String", "productType", json!("AUX_POEORB")),
            ("String", "platformShortName", json!("SENTINEL-1")),
        ],
        properties: Value::Null,
        assets: Vec::new(),
    };
    Product::new(about, Node::file(NAME, file.into()))
}

const S2_BOUNDS: Bounds = Bounds { west: 20.0, south: 50.46, east: 21.55, north: 51.45 };

fn sentinel_2_l1c() -> Product {
    const GRANULE: &str = "GRANULE/L1C_T34UEB_A037884_20240607T094547";
    let red = format!("{GRANULE}/IMG_DATA/T34UEB_20240607T094549_B04.jp2");
    let files = vec![
        ("MTD_MSIL1C.xml".to_owned(), sentinel_2_metadata("Level-1C_User_Product", "S2MSI1C")),
        (format!("{GRANULE}/MTD_TL.xml"), sentinel_2_metadata("Level-1C_Tile_ID", "S2MSI1C")),
        (red.clone(), picture(1, 2048)),
        (format!("{GRANULE}/IMG_DATA/T34UEB_20240607T094549_B08.jp2"), picture(2, 2048)),
    ];
    let about = About {
        id: "c81d5e77-0a4f-4d39-8e16-94b27c3f5d03",
        name: "S2B_MSIL1C_20240607T094549_N0510_R079_T34UEB_20240607T104829.SAFE",
        stac_collection: Some("sentinel-2-l1c"),
        published: "2024-06-07T11:31:47.590213Z",
        s3_folder: "/eodata/Sentinel-2/MSI/L1C/2024/06/07",
        attributes: attributes("SENTINEL-2", "B", "MSI", "S2MSI1C", 37884),
        properties: sentinel_2_properties("L1", "S2MSI1C"),
        assets: vec![
            ("safe_manifest", "manifest.safe".to_owned()),
            ("product_metadata", "MTD_MSIL1C.xml".to_owned()),
            ("B04", red),
        ],
        ..sentinel_2()
    };
    safe("esa/safe/sentinel/1.1/sentinel-2/msi/archive_l1c_user_product", about, files)
}

fn sentinel_2_l2a() -> Product {
    const GRANULE: &str = "GRANULE/L2A_T34UEB_A037884_20240607T094547";
    let red = format!("{GRANULE}/IMG_DATA/R60m/T34UEB_20240607T094549_B04_60m.jp2");
    let classes = format!("{GRANULE}/IMG_DATA/R60m/T34UEB_20240607T094549_SCL_60m.jp2");
    let files = vec![
        ("MTD_MSIL2A.xml".to_owned(), sentinel_2_metadata("Level-2A_User_Product", "S2MSI2A")),
        (format!("{GRANULE}/MTD_TL.xml"), sentinel_2_metadata("Level-2A_Tile_ID", "S2MSI2A")),
        (red.clone(), picture(3, 4096)),
        (classes.clone(), picture(4, 1024)),
    ];
    let about = About {
        id: "e5a2907b-6c18-4f03-a7d4-1b8f3e6c2a04",
        name: "S2B_MSIL2A_20240607T094549_N0510_R079_T34UEB_20240607T121435.SAFE",
        stac_collection: Some("sentinel-2-l2a"),
        published: "2024-06-07T13:05:22.841907Z",
        s3_folder: "/eodata/Sentinel-2/MSI/L2A/2024/06/07",
        attributes: attributes("SENTINEL-2", "B", "MSI", "S2MSI2A", 37884),
        properties: sentinel_2_properties("L2", "S2MSI2A"),
        assets: vec![
            ("safe_manifest", "manifest.safe".to_owned()),
            ("product_metadata", "MTD_MSIL2A.xml".to_owned()),
            ("B04_60m", red),
            ("SCL_60m", classes),
        ],
        ..sentinel_2()
    };
    safe("esa/safe/sentinel/1.1/sentinel-2/msi/archive_l2a_user_product", about, files)
}

/// What both products of one acquisition have in common.
fn sentinel_2() -> About {
    About {
        id: "",
        name: "",
        collection: "SENTINEL-2",
        stac_collection: None,
        start: "2024-06-07T09:45:49.024000Z",
        end: "2024-06-07T09:45:49.024000Z",
        published: "",
        s3_folder: "",
        bounds: Some(S2_BOUNDS),
        attributes: Vec::new(),
        properties: Value::Null,
        assets: Vec::new(),
    }
}

fn sentinel_2_properties(level: &str, product_type: &str) -> Value {
    json!({
        "platform": "sentinel-2b", "constellation": "sentinel-2", "instruments": ["msi"], "processing:level": level,
        "product:type": product_type, "eo:cloud_cover": 12.5, "grid:code": "MGRS-34UEB", "sat:absolute_orbit": 37884,
        "sat:relative_orbit": 79, "sat:orbit_state": "descending",
    })
}

fn sentinel_2_metadata(root: &str, product_type: &str) -> Content {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<n1:{root} xmlns:n1=\"https://psd-14.sentinel2.eo.esa.int/PSD/{root}.xsd\">\n  \
         <n1:General_Info>\n    <PRODUCT_TYPE>{product_type}</PRODUCT_TYPE>\n    <PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>\n    \
         <SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>\n  </n1:General_Info>\n</n1:{root}>\n"
    )
    .into()
}

/// As large as asked, with the first box of a JPEG 2000 file and noise after it: nothing can show it.
fn picture(seed: u32, length: usize) -> Content {
    let mut state = seed;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    b"\0\0\0\x0cjP  \r\n\x87\n".iter().copied().chain(noise).take(length).collect::<Vec<_>>().into()
}

fn attributes(platform: &str, unit: &str, instrument: &str, product_type: &str, orbit: u32) -> Vec<Attribute> {
    vec![
        ("String", "origin", json!("ESA")),
        ("Integer", "orbitNumber", json!(orbit)),
        ("String", "orbitDirection", json!("DESCENDING")),
        ("String", "platformShortName", json!(platform)),
        ("String", "instrumentShortName", json!(instrument)),
        ("String", "platformSerialIdentifier", json!(unit)),
        ("String", "productType", json!(product_type)),
    ]
}

/// A folder with these files and a manifest of them.
fn safe(version: &str, about: About, files: Vec<(String, Content)>) -> Product {
    let mut root = Node::folder(about.name);
    for (path, content) in files {
        root.put(&path, content);
    }
    let mut objects = String::new();
    list_objects(&mut objects, ".", &root);
    let manifest = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xfdu:XFDU xmlns:xfdu=\"urn:ccsds:schema:xfdu:1\" version=\"{version}\">\n  \
         <dataObjectSection>\n{objects}  </dataObjectSection>\n</xfdu:XFDU>\n"
    );
    root.put("manifest.safe", manifest.into());
    Product::new(about, root)
}

fn list_objects(objects: &mut String, path: &str, node: &Node) {
    for child in node.children() {
        let path = format!("{path}/{}", child.name());
        if let (Some(content), Some(md5)) = (child.content(), child.md5()) {
            objects.push_str(&format!(
                "    <dataObject ID=\"{}\"><byteStream size=\"{}\"><fileLocation locatorType=\"URL\" href=\"{path}\"/>\
                 <checksum checksumName=\"MD5\">{md5}</checksum></byteStream></dataObject>\n",
                child.name().replace(['-', '.', '_'], ""),
                content.len()
            ));
        }
        list_objects(objects, &path, child);
    }
}

/// A single file of zeros. For `tar` it is an empty archive.
fn large(bytes: u64) -> Product {
    const NAME: &str = "LC08_L1TP_188024_20240607_20240612_02_T1.tar";
    let about = About {
        id: "a94f6d20-57b3-4e8c-9c02-d3e1b7a86f05",
        name: NAME,
        collection: "LANDSAT-8",
        stac_collection: None,
        start: "2024-06-07T09:32:10.000000Z",
        end: "2024-06-07T09:32:42.000000Z",
        published: "2024-06-12T18:40:00.000000Z",
        s3_folder: "/eodata/Landsat-8/OLI_TIRS/L1TP/2024/06/07",
        bounds: Some(S2_BOUNDS),
        attributes: attributes("LANDSAT-8", "", "OLI_TIRS", "L1TP", 60123),
        properties: Value::Null,
        assets: Vec::new(),
    };
    Product::new(about, Node::file(NAME, Content::Zeros(bytes)))
}
