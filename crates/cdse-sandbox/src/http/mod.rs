//! The realm over HTTP: connections, routes, answers and the faults between them.

mod answer;
mod body;
mod control;
mod form;
mod handler;
mod ports;
mod received;
mod refusal;
mod route;
mod server;
mod service;
mod wire;

pub(crate) use handler::resource::PATH as RESOURCE_PATH;
pub(crate) use server::Server;
