//! A small ledger whose accounts are packed into the component.

mod books;

use exports::acme::ledger::accounts::{Closing, Guest, Line, Receipt, Shortfall, TransferError};

wit_bindgen::generate!({ path: "wit", world: "ledger" });
include!(concat!(env!("OUT_DIR"), "/package_docs.rs"));

struct Ledger;

impl Guest for Ledger {
    fn transfer(
        from_account: String,
        to_account: String,
        amount_cents: u64,
        memo: Option<String>,
    ) -> Result<Receipt, TransferError> {
        let moved = books::transfer(&from_account, &to_account, amount_cents)?;
        Ok(Receipt {
            id: receipt_id(
                &[&from_account, &to_account, memo.as_deref().unwrap_or("")],
                amount_cents,
            ),
            from_account,
            to_account,
            amount_cents,
            memo,
            from_balance_cents: moved.from_cents,
            to_balance_cents: moved.to_cents,
        })
    }

    fn balance(account: String) -> Result<u64, TransferError> {
        Ok(books::balance(&account)?)
    }

    fn close_books(month: String) -> Result<Closing, String> {
        if !is_month(&month) {
            return Err(format!("`{month}` is not a month; write it as 2026-03"));
        }
        let lines: Vec<Line> = books::open_accounts()
            .map(|(account, balance_cents)| Line {
                account: account.to_owned(),
                balance_cents,
            })
            .collect();
        let total_cents = lines.iter().map(|line| line.balance_cents).sum();
        Ok(Closing {
            month,
            lines,
            total_cents,
        })
    }
}

impl From<books::Refusal> for TransferError {
    fn from(refusal: books::Refusal) -> Self {
        match refusal {
            books::Refusal::Unknown(name) => Self::UnknownAccount(name),
            books::Refusal::Closed(name) => Self::ClosedAccount(name),
            books::Refusal::Same => Self::SameAccount,
            books::Refusal::Nothing => Self::NothingToTransfer,
            books::Refusal::Short { available, missing } => Self::InsufficientFunds(Shortfall {
                available_cents: available,
                missing_cents: missing,
            }),
        }
    }
}

/// FNV-1a over what makes a transfer this transfer; lengths keep neighbouring texts apart.
fn receipt_id(texts: &[&str], amount_cents: u64) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for text in texts {
        feed(&(text.len() as u64).to_le_bytes());
        feed(text.as_bytes());
    }
    feed(&amount_cents.to_le_bytes());
    format!("tx-{hash:016x}")
}

fn is_month(text: &str) -> bool {
    text.split_once('-').is_some_and(|(year, month)| {
        let digits = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        digits(year, 4)
            && digits(month, 2)
            && month
                .parse()
                .is_ok_and(|number: u8| (1..=12).contains(&number))
    })
}

export!(Ledger);
