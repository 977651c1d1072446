//! Columns for people.

use comfy_table::{ContentArrangement, Table, presets};

/// Plain columns, two spaces apart, with a heading.
pub(crate) fn of<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.set_header(heading).add_rows(rows);
    lines(table)
}

/// The same in so many columns at most, with texts that go on in the next line.
pub(crate) fn wrapped<const N: usize>(
    heading: [&str; N],
    rows: impl Iterator<Item = [&'static str; N]>,
    width: usize,
) -> String {
    let mut table = Table::new();
    table.set_header(heading).add_rows(rows).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    lines(table)
}

fn lines(mut table: Table) -> String {
    table.load_preset(presets::NOTHING);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}
