//! How much of a batch goes into a request, and in how many parts.

use backstop_delivery::{Batch, Encoded, Part, Record, Unfit};
use bytes::Bytes;

/// How a sink lays out a batch.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The most records that one request has room for.
    pub room: usize,
    /// The records of a part; without it all are in one.
    pub records_in_a_part: Option<usize>,
}

impl Layout {
    /// A request for the batch, or for as much of it as there is room for. A part has a byte for each record.
    pub fn encode(self, batch: &Batch, unfit: impl Fn(&Record) -> Option<Unfit>) -> Encoded {
        let mut encoded = Encoded {
            parts: Vec::new(),
            covers: 0,
            unfit: Vec::new(),
        };
        let mut fit = 0;
        for record in batch.records() {
            if fit == self.room {
                break;
            }
            match unfit(record) {
                Some(unfit) => encoded.unfit.push((encoded.covers, unfit)),
                None => fit += 1,
            }
            encoded.covers += 1;
        }
        let step = self.records_in_a_part.unwrap_or(fit.max(1));
        encoded.parts = (0..fit)
            .step_by(step)
            .map(|start| {
                let records = start..(start + step).min(fit);
                Part {
                    body: Bytes::from(vec![0; records.len()]),
                    records,
                }
            })
            .collect();
        encoded
    }
}
