//! What a request asks of the catalogue.

use super::super::super::form::Form;
use super::fields::{self, Expand};
use super::problem::Problem;
use crate::data::{Filter, Product};

/// How far the list of all that was found can be walked.
const LAST_SKIP: usize = 10_000;

#[derive(Debug)]
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    pub(super) top: usize,
    pub(super) skip: usize,
    pub(super) count: bool,
    pub(super) expand: Vec<Expand>,
    pub(super) select: Option<Vec<String>>,
    order: Option<Order>,
    form: Form,
}

#[derive(Debug)]
struct Order {
    key: fn(&Product) -> &str,
    descending: bool,
}

impl Query {
    pub(super) fn parse(form: &Form) -> Result<Self, Problem> {
        let top = number(form, "$top", 20, 1000)?;
        let skip = number(form, "$skip", 0, LAST_SKIP)?;
        let count = match form.get("$count") {
            None => false,
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => {
                    let message = "Input should be a valid boolean, unable to interpret input";
                    return Err(Problem::invalid("bool_parsing", ["query", "$count"], message, text));
                }
            },
        };
        let filter = form
            .get("$filter")
            .map(Filter::parse)
            .transpose()
            .map_err(|index| Problem::Refused(400, format!("Error during parsing at index {index}")))?;
        let order = form.get("$orderby").map(Order::parse).transpose()?;
        let expand = (form.fields().iter().filter(|(name, _)| name == "$expand"))
            .flat_map(|(_, value)| value.split(','))
            .map(|name| Expand::parse(name.trim()))
            .collect::<Result<_, _>>()?;
        let select = form.get("$select").map(select).transpose()?.flatten();
        Ok(Self { filter, top, skip, count, expand, select, order, form: form.clone() })
    }

    pub(super) fn sort(&self, products: &mut [&Product]) {
        if let Some(Order { key, descending }) = &self.order {
            products.sort_by(|a, b| {
                let order = key(a).cmp(key(b));
                (if *descending { order.reverse() } else { order }).then_with(|| a.about.id.cmp(b.about.id))
            });
        }
    }

    /// The link to the next page, which repeats the request; there is none beyond the last page that can be asked for.
    pub(super) fn next(&self, list: &str) -> Option<String> {
        let skip = self.skip + self.top;
        if skip > LAST_SKIP {
            return None;
        }
        Some(format!("{list}?{}", self.form.clone().with("$skip", skip.to_string()).encode()))
    }
}

fn number(form: &Form, name: &'static str, default: usize, most: usize) -> Result<usize, Problem> {
    let Some(text) = form.get(name) else { return Ok(default) };
    let invalid = |kind, message: &str| Problem::invalid(kind, ["query", name], message, text);
    let number: i64 = text
        .parse()
        .map_err(|_| invalid("int_parsing", "Input should be a valid integer, unable to parse string as an integer"))?;
    let number = usize::try_from(number)
        .map_err(|_| invalid("greater_than_equal", "Input should be greater than or equal to 0"))?;
    if number > most {
        return Err(invalid("less_than_equal", &format!("Input should be less than or equal to {most}")));
    }
    Ok(number)
}

impl Order {
    fn parse(text: &str) -> Result<Self, Problem> {
        let message = "Invalid value: Invalid field name in the order by clause. \
                       Please use only 'asc' or 'desc' for sorting.";
        let wrong = || Problem::Refused(400, message.to_owned());
        let (field, direction) = text.trim().split_once(' ').unwrap_or((text.trim(), "asc"));
        let key: fn(&Product) -> &str = match field {
            "ContentDate/Start" => |product| product.about.start,
            "ContentDate/End" => |product| product.about.end,
            "PublicationDate" | "ModificationDate" => |product| product.about.published,
            _ => return Err(wrong()),
        };
        let descending = match direction.trim() {
            "asc" => false,
            "desc" => true,
            _ => return Err(wrong()),
        };
        Ok(Self { key, descending })
    }
}

/// The fields that are asked for; `None` for all of them.
fn select(text: &str) -> Result<Option<Vec<String>>, Problem> {
    let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(|name| name == "*") {
        return Ok(None);
    }
    match names.iter().find(|name| !fields::NAMES.contains(&name.as_str())) {
        Some(unknown) => Err(Problem::Refused(400, format!("Invalid field in select: {unknown}"))),
        None => Ok(Some(names)),
    }
}
