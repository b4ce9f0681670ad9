//! A loopback HTTP server that can be made to fail: the ground of the intake, Firehose and S3.
//!
//! [`FaultServer`] owns the port and the connections. `connection` plays the faults, with `stream` under it and
//! `body` for answers that are none. An [`Answer`] says what a healthy server does. Invariants: when `set_fault`
//! returns, the fault holds for every later request; when a server is dropped, its port and connections close.
//! Must not know what the requests mean.

mod body;
mod connection;
mod stream;

pub(crate) use connection::status_code;

use std::future::{Future, pending};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{SimulationError, start};
use crate::fault::Fault;
use crate::tls::Acceptors;

const BACKLOG: u32 = 1024;

/// What a healthy server does, and how it words the error of a fault.
pub trait Answer: Send + Sync + 'static {
    /// Does what the request asks and answers it.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Response<Bytes>> + Send;

    /// The answer with a status that a fault asks for, in the service's own form.
    fn refusal(&self, status: StatusCode) -> Response<Bytes>;

    /// Told once for each request: the status it was answered with, `None` when it never was.
    fn observe(&self, request: &Parts, status: Option<StatusCode>);
}

type SetFault = (Option<Fault>, oneshot::Sender<io::Result<()>>);

/// A running server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    scheme: &'static str,
    commands: mpsc::Sender<SetFault>,
    task: JoinHandle<()>,
}

impl FaultServer {
    /// Listens on a free port of 127.0.0.1.
    pub fn start<A: Answer>(
        what: &'static str,
        answer: Arc<A>,
        tls: Option<Acceptors>,
    ) -> Result<Self, SimulationError> {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into())
            .and_then(listen)
            .map_err(start(what))?;
        let address = listener.local_addr().map_err(start(what))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (commands, inbox) = mpsc::channel(4);
        let task = tokio::spawn(run(Port::Open(listener), address, inbox, answer, tls));
        Ok(Self {
            address,
            scheme,
            commands,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's URL without a path.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Sets or clears the fault; it holds when this returns.
    pub async fn set_fault(&self, fault: Option<Fault>) -> Result<(), SimulationError> {
        let gone = || start("the server")(io::ErrorKind::BrokenPipe.into());
        let (done, outcome) = oneshot::channel();
        self.commands
            .send((fault, done))
            .await
            .map_err(|_| gone())?;
        outcome
            .await
            .map_err(|_| gone())?
            .map_err(start("the server"))
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The port: listening, or bound without listening, which refuses every connection and keeps the
/// number from anyone else.
enum Port {
    Open(TcpListener),
    Held(TcpSocket),
    Lost,
}

impl Port {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Open(listener) => listener.accept().await,
            Self::Held(_) | Self::Lost => pending().await,
        }
    }

    /// Closes or opens the port as the fault demands.
    fn follow(&mut self, fault: Option<Fault>, address: SocketAddr) -> io::Result<()> {
        let refuse = fault == Some(Fault::Refuse);
        *self = match (std::mem::replace(self, Self::Lost), refuse) {
            (Self::Open(listener), true) => {
                // First one, then the other: a port that is free for a moment may be taken by any
                // connection of this machine.
                let held = bind(address)?;
                drop(listener);
                Self::Held(held)
            }
            (Self::Held(socket), false) => Self::Open(listen(socket)?),
            (Self::Lost, true) => Self::Held(bind(address)?),
            (Self::Lost, false) => Self::Open(bind(address).and_then(listen)?),
            (same, _) => same,
        };
        Ok(())
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

async fn run<A: Answer>(
    mut port: Port,
    address: SocketAddr,
    mut inbox: mpsc::Receiver<SetFault>,
    answer: Arc<A>,
    tls: Option<Acceptors>,
) {
    let (fault, faults) = watch::channel(None);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            command = inbox.recv() => {
                let Some((wanted, done)) = command else { return };
                let outcome = port.follow(wanted, address);
                fault.send_replace(wanted);
                if wanted.is_some_and(Fault::is_of_connections) {
                    while connections.join_next().await.is_some() {}
                }
                // The caller may have stopped waiting.
                done.send(outcome).ok();
            }
            accepted = port.accept() => {
                if let Ok((stream, _)) = accepted {
                    let mut faults = faults.clone();
                    let birth = *faults.borrow_and_update();
                    let handshake = connection::Handshake::under(birth, tls.as_ref());
                    connections.spawn(connection::serve(
                        stream, handshake, Arc::clone(&answer), faults,
                    ));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
