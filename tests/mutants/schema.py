"""All mutants of a crate in one build: each is compiled in, and a number in the environment chooses the one that acts.

`cargo mutants --list --json` says what to change and where; this rewrites the sources so that `crate::mutant::acts(N)` asks
at each of these places. Only one acts at a time, so within a mutant's own text nothing else is rewritten.
"""

import re
from dataclasses import dataclass, field

import tree_sitter_rust
from tree_sitter import Language, Parser

PARSER = Parser(Language(tree_sitter_rust.language()))

# What is added to the crate. A trace says which mutants a test comes by at all.
SUPPORT = """
#[doc(hidden)]
#[allow(warnings, clippy::all)]
pub mod mutant {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    static CHOSEN: OnceLock<u32> = OnceLock::new();
    static TRACE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    static SEEN: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];

    pub fn acts(number: u32) -> bool {
        let chosen = *CHOSEN.get_or_init(|| {
            std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
        });
        if chosen == u32::MAX && !SEEN[number as usize].load(Ordering::Relaxed) {
            seen(number);
        }
        chosen == number
    }

    #[cold]
    fn seen(number: u32) {
        use std::io::Write;
        SEEN[number as usize].store(true, Ordering::Relaxed);
        if let Some(path) = TRACE.get_or_init(|| std::env::var_os("MUTANT_TRACE")) {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{number}\\n").as_bytes()).unwrap();
        }
    }
}
"""


@dataclass
class Choice:
    """A piece of source with what may stand in its place."""

    start: int
    end: int
    others: list = field(default_factory=list)  # (number, text)
    statement: bool = False  # the others leave the function; they go before what is there


@dataclass
class Rendered:
    text: bytes
    # (number, start, end): where a mutant's own text is; and where the whole choice of it is.
    own: list
    whole: list


def offsets(source):
    lines = source.split(b"\n")
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1

    def offset(place):
        line = lines[place["line"] - 1].decode()
        return starts[place["line"] - 1] + len(line[: place["column"] - 1].encode())

    return offset


def node_at(tree, start, end, kinds):
    node = tree.root_node.descendant_for_byte_range(start, end)
    while node is not None and node.type not in kinds:
        node = node.parent
    return node


def choices(source, mutants):
    """The choices in one file, and the mutants that cannot be expressed."""
    tree, offset = PARSER.parse(source), offsets(source)
    found, insertions, impossible = {}, {}, []

    def choice(node, statement=False):
        key = (node.start_byte, node.end_byte, statement)
        return found.setdefault(key, Choice(*key[:2], statement=statement))

    def text(node):
        return source[node.start_byte : node.end_byte].decode()

    def is_constant(start, end):
        return node_at(tree, start, end, ("const_item", "static_item", "attribute_item")) is not None

    for mutant in mutants:
        number, genre, new = mutant["number"], mutant["genre"], mutant["replacement"]
        start, end = offset(mutant["span"]["start"]), offset(mutant["span"]["end"])
        if genre != "FnValue" and is_constant(start, end):
            impossible.append(mutant)
        elif genre == "FnValue":
            node = tree.root_node.descendant_for_byte_range(start, end)
            while node is not None and node.type not in ("function_item", "closure_expression"):
                node = node.parent
            body = node and node.child_by_field_name("body")
            if body is None or re.search(r"\bconst\b", source[node.start_byte : body.start_byte].decode().split("fn ")[0]):
                impossible.append(mutant)
                continue
            choice(body, statement=True).others.append((number, new))
        elif genre == "BinaryOperator":
            node = node_at(tree, start, end, ("binary_expression", "compound_assignment_expr", "let_chain"))
            if node is None or node.type == "let_chain":
                impossible.append(mutant)
                continue
            # In the text the other operator may bind otherwise, and so it does here.
            while node.parent is not None and node.parent.type == "binary_expression":
                node = node.parent
            changed = source[node.start_byte : start].decode() + new + source[end : node.end_byte].decode()
            choice(node).others.append((number, changed))
        elif genre == "UnaryOperator":
            node = node_at(tree, start, end, ("unary_expression", "negative_literal"))
            if node is None:
                impossible.append(mutant)
                continue
            operand = source[node.start_byte + 1 : node.end_byte].decode().strip()
            choice(node).others.append((number, (new or "") + operand))
        elif genre == "MatchArm":
            node = node_at(tree, start, end, ("match_arm",))
            pattern = node.child_by_field_name("pattern")
            condition = pattern.child_by_field_name("condition")
            if condition is None:
                insertions.setdefault(pattern.end_byte, []).append((number, " if {}"))
            else:
                insertions.setdefault(condition.start_byte, []).append((number, "{} && "))
                if "let " not in text(condition):
                    choice(condition)
        elif genre == "MatchArmGuard":
            pattern = node_at(tree, start, end, ("match_pattern",))
            condition = pattern.child_by_field_name("condition")
            if "let " in text(condition):
                impossible.append(mutant)
                continue
            choice(condition).others.append((number, new))
        elif genre == "StructField":
            # Its span takes in the comma.
            node = node_at(tree, start, start + 1, ("field_initializer", "shorthand_field_initializer"))
            fields = node.parent
            base = next((c for c in fields.children if c.type == "base_field_initializer"), None)
            if base is None:
                impossible.append(mutant)
                continue
            whole = fields.parent
            kind = text(whole.child_by_field_name("name"))
            rest = text(base).lstrip(".")
            if node.type == "field_initializer":
                name, value = text(node.child_by_field_name("field")), node.child_by_field_name("value")
                choice(value).others.append((number, f"{{ let base: {kind} = {rest}; base.{name} }}"))
            else:
                impossible.append(mutant)
        else:
            impossible.append(mutant)
    return list(found.values()), insertions, impossible


def render(source, mutants):
    """The rewritten file, with where each mutant is in it, and the mutants that cannot be expressed."""
    found, insertions, impossible = choices(source, mutants)
    # Outer ones first; of two at the same place the statement lies inside.
    found.sort(key=lambda c: (c.start, -c.end, c.statement))
    own, whole = [], []
    out = bytearray()
    cursor = 0  # in found
    pending = sorted(insertions.items())

    def plain(start, end):
        nonlocal pending
        at = start
        while pending and start <= pending[0][0] <= end:
            place, arms = pending[0]
            if place > end:
                break
            pending = pending[1:]
            out.extend(source[at:place])
            at = place
            condition = " && ".join(f"!crate::mutant::acts({number})" for number, _ in arms)
            begin = len(out)
            out.extend(arms[0][1].format(condition).encode())
            for number, _ in arms:
                own.append((number, begin, len(out)))
                whole.append((number, begin, len(out)))
        out.extend(source[at:end])

    def inner(start, end):
        """Renders the piece with all choices inside it; `cursor` is at the first of them."""
        nonlocal cursor
        at = start
        while cursor < len(found) and found[cursor].start < end and found[cursor].end <= end:
            one = found[cursor]
            cursor += 1
            plain(at, one.start)
            one_choice(one)
            at = one.end
        plain(at, end)

    def one_choice(one):
        begin = len(out)
        if one.statement:
            # A body: its brace, the others, the rest.
            out.extend(b"{ ")
            for number, new in one.others:
                here = len(out)
                out.extend(f"if crate::mutant::acts({number}) {{ return {new}; }} ".encode())
                own.append((number, here, len(out)))
            inner(one.start + 1, one.end)
        else:
            out.extend(b"(")
            for number, new in one.others:
                here = len(out)
                out.extend(f"if crate::mutant::acts({number}) {{ {new} }} else ".encode())
                own.append((number, here, len(out)))
            if one.others:
                out.extend(b"{ ")
            inner(one.start, one.end)
            if one.others:
                out.extend(b" }")
            out.extend(b")")
        for number, _ in one.others:
            whole.append((number, begin, len(out)))

    inner(0, len(source))
    return Rendered(bytes(out), own, whole), impossible
