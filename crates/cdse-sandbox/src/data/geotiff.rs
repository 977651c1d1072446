//! A GeoTIFF: one band of 16 bits in geographic coordinates.

/// The corner and the size of the pixels, in degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) west: f64,
    pub(super) north: f64,
    pub(super) step: f64,
}

/// One entry of the directory: its tag, its type, how many values it has, and their bytes.
struct Field(u16, u16, u32, Vec<u8>);

fn short(tag: u16, values: &[u16]) -> Field {
    Field(tag, 3, values.len() as u32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn long(tag: u16, value: u32) -> Field {
    Field(tag, 4, 1, value.to_le_bytes().to_vec())
}

fn double(tag: u16, values: &[f64]) -> Field {
    Field(tag, 12, values.len() as u32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// The image whose pixels `value` gives, by column and row.
pub(super) fn encode(grid: Grid, value: impl Fn(u32, u32) -> u16) -> Vec<u8> {
    const HEADER: u32 = 8;
    let Grid { width, height, west, north, step } = grid;
    let length = u32::from(width) * u32::from(height) * 2;
    // In the order of their tags, as readers demand.
    let fields = [
        short(256, &[width]),
        short(257, &[height]),
        // Bits of a sample, no compression, black is zero.
        short(258, &[16]),
        short(259, &[1]),
        short(262, &[1]),
        // One strip, right after the header.
        long(273, HEADER),
        short(277, &[1]),
        short(278, &[height]),
        long(279, length),
        // Unsigned integers.
        short(339, &[1]),
        double(33550, &[step, step, 0.0]),
        double(33922, &[0.0, 0.0, 0.0, west, north, 0.0]),
        // Geographic, pixels are areas, EPSG:4326.
        short(34735, &[1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326]),
    ];
    let directory = HEADER + length;
    let mut beyond = directory + 2 + 12 * fields.len() as u32 + 4;

    let mut tiff = b"II\x2a\0".to_vec();
    tiff.extend(directory.to_le_bytes());
    for row in 0..u32::from(height) {
        tiff.extend((0..u32::from(width)).flat_map(|column| value(column, row).to_le_bytes()));
    }
    tiff.extend((fields.len() as u16).to_le_bytes());
    let mut long_values = Vec::new();
    for Field(tag, kind, count, mut bytes) in fields {
        tiff.extend([tag, kind].map(u16::to_le_bytes).concat());
        tiff.extend(count.to_le_bytes());
        if bytes.len() <= 4 {
            bytes.resize(4, 0);
            tiff.extend(bytes);
        } else {
            tiff.extend(beyond.to_le_bytes());
            beyond += bytes.len() as u32;
            long_values.extend(bytes);
        }
    }
    // No further directory.
    tiff.extend([0; 4]);
    tiff.extend(long_values);
    tiff
}

#[cfg(test)]
mod tests {
    use super::{Grid, encode};

    fn number(bytes: &[u8]) -> usize {
        bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }

    /// The bytes of a field's values.
    fn field(tiff: &[u8], tag: u16) -> &[u8] {
        let directory = number(&tiff[4..8]);
        let count = number(&tiff[directory..directory + 2]);
        let entries = tiff[directory + 2..].chunks(12).take(count);
        let entry = entries.into_iter().find(|entry| entry[..2] == tag.to_le_bytes()).unwrap();
        let size = match number(&entry[2..4]) {
            3 => 2,
            4 => 4,
            _ => 8,
        };
        let length = size * number(&entry[4..8]);
        let start = number(&entry[8..]);
        if length <= 4 { &entry[8..8 + length] } else { &tiff[start..start + length] }
    }

    #[test]
    fn pixels_and_places_are_where_the_directory_says() {
        let grid = Grid { width: 5, height: 3, west: 20.5, north: -1.25, step: 0.5 };
        let tiff = encode(grid, |column, row| (100 * row + column) as u16);
        let strip = number(field(&tiff, 273));
        assert_eq!(number(field(&tiff, 279)), 5 * 3 * 2);
        assert_eq!(number(&tiff[strip + 2 * (5 * 2 + 4)..][..2]), 204);
        let doubles = |tag| -> Vec<f64> {
            field(&tiff, tag).chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
        };
        assert_eq!(doubles(33550), [0.5, 0.5, 0.0]);
        assert_eq!(doubles(33922), [0.0, 0.0, 0.0, 20.5, -1.25, 0.0]);
        let keys: Vec<_> = field(&tiff, 34735).chunks(2).map(number).collect();
        assert_eq!(keys[4..], [1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326]);
        // Nothing follows the last value.
        assert_eq!(field(&tiff, 34735).as_ptr_range().end, tiff.as_ptr_range().end);
    }
}
