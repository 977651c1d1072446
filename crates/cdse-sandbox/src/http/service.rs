//! One request, from its arrival to its answer, and the faults in between.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::time::sleep;

use super::answer::Answer;
use super::body::AnswerBody;
use super::control;
use super::handler;
use super::received::Received;
use super::route::Route;
use super::wire::{End, Ending};
use crate::endpoint::Endpoint;
use crate::fault::Action;
use crate::host::Host;
use crate::state::{Shared, Visit};

/// Keycloak closes the connection while a body longer than this is being sent.
const LONGEST_BODY: usize = 10 * 1024 * 1024;

/// A connection, as its requests see it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) host: Host,
    pub(super) number: u64,
    pub(super) ending: Arc<Ending>,
}

pub(super) async fn serve(connection: Arc<Connection>, request: Request<Incoming>) -> io::Result<Response<AnswerBody>> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let path = parts.uri.path().to_owned();
    match Route::of(connection.host, &path) {
        Route::Control(rest) => {
            let mut core = connection.shared.lock();
            Ok(control::answer(&mut core, &parts.method, rest, &body).into_response())
        }
        route => attend(&connection, route, parts, body).await,
    }
}

/// There is no answer: the connection ends.
fn hang_up() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn read(mut body: Incoming) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > LONGEST_BODY {
            return Err(hang_up());
        }
    }
    Ok(bytes.into())
}

async fn attend(
    connection: &Connection,
    route: Route<'_>,
    parts: Parts,
    body: Bytes,
) -> io::Result<Response<AnswerBody>> {
    let shared = &connection.shared;
    let request = Received::new(parts, body);
    let entry = request.entry(route.endpoint(), connection.host, connection.number);
    let (visit, action) = shared.arrive(entry);
    let process = || process(shared, &visit, route, &request);
    let answer = match action {
        None => process(),
        Some(Action::Answer { status, headers, body }) => decided(&visit, Answer::scripted(status, headers, body)),
        Some(Action::AnswerAfter { status, headers, body }) => {
            process();
            decided(&visit, Answer::scripted(status, headers, body))
        }
        Some(Action::Endless { status, content_type, bytes }) => {
            let answer = decided(&visit, Answer::empty(status).header("content-type", &content_type));
            return Ok(answer.into_response_with(AnswerBody::Endless(bytes)));
        }
        Some(Action::Delay(delay)) => {
            sleep(delay).await;
            process()
        }
        Some(Action::DelayAnswer(delay)) => {
            let answer = process();
            sleep(delay).await;
            answer
        }
        Some(Action::Torn { processed, body_bytes }) => {
            let mut answer = if processed { process() } else { decided(&visit, unprocessed()) };
            let body = AnswerBody::Torn {
                beginning: answer.body.clone().beginning(body_bytes),
                announced: answer.body.len(),
                _delivery: answer.delivery.take(),
                ending: Arc::clone(&connection.ending),
            };
            return Ok(answer.into_response_with(body));
        }
        Some(Action::Reset { processed }) => {
            if processed {
                process();
            }
            let _ = connection.ending.set(End::Reset);
            return Err(hang_up());
        }
        Some(Action::Stall { processed }) => {
            // A delivery that is stalled is under way.
            let _answer = processed.then(process);
            pending().await
        }
        Some(Action::EditBody(edit)) => {
            let answer = process();
            if answer.status == 200 { answer.edited(&edit) } else { answer }
        }
    };
    if route.endpoint() == Endpoint::Token && !shared.latency.is_zero() {
        sleep(shared.latency).await;
    }
    Ok(answer.into_response())
}

/// The service's own answer.
fn process(shared: &Shared, visit: &Visit<'_>, route: Route<'_>, request: &Received) -> Answer {
    let answer = {
        let mut core = shared.lock();
        visit.processed(&mut core);
        handler::answer(&mut core, &shared.site, route, request)
    };
    decided(visit, answer)
}

fn decided(visit: &Visit<'_>, answer: Answer) -> Answer {
    visit.decided(answer.status);
    answer
}

/// What is torn when there is no answer of the service's: as long as one with tokens, and beginning like it.
fn unprocessed() -> Answer {
    const LENGTH: usize = 2211;
    let mut body = br#"{"access_token":""#.to_vec();
    body.resize(LENGTH, b'x');
    Answer::scripted(200, Vec::new(), body).header("content-type", "application/json")
}
