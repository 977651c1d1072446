//! The data: a few small products, and what is known of them. Nothing here knows HTTP.

mod content;
mod deliveries;
mod filter;
mod geotiff;
mod node;
mod package;
mod product;
mod products;

pub(crate) use content::Content;
pub(crate) use deliveries::{Deliveries, Delivery};
pub(crate) use filter::Filter;
pub(crate) use node::Node;
pub(crate) use package::Package;
pub(crate) use product::{Bounds, Product};
pub(crate) use products::Products;
