//! The books: accounts with their balances, and the one rule that money is moved and never made.

/// An account as the books open.
struct Account {
    name: &'static str,
    cents: u64,
    open: bool,
}

/// The accounts that every call starts from.
const OPENING: [Account; 6] = [
    account("operations", 2_500_000, true),
    account("payroll", 18_400_000, true),
    account("petty-cash", 31_250, true),
    account("suppliers", 740_000, true),
    account("offshore-1", 0, true),
    account("old-depot", 0, false),
];

const fn account(name: &'static str, cents: u64, open: bool) -> Account {
    Account { name, cents, open }
}

/// Why the books refuse.
pub enum Refusal {
    Unknown(String),
    Closed(String),
    Same,
    Nothing,
    Short { available: u64, missing: u64 },
}

/// Balances after a transfer.
pub struct Moved {
    pub from_cents: u64,
    pub to_cents: u64,
}

/// What is on an open account.
pub fn balance(name: &str) -> Result<u64, Refusal> {
    match OPENING.iter().find(|account| account.name == name) {
        None => Err(Refusal::Unknown(name.to_owned())),
        Some(account) if !account.open => Err(Refusal::Closed(name.to_owned())),
        Some(account) => Ok(account.cents),
    }
}

/// Moves `cents` between two open accounts.
pub fn transfer(from: &str, to: &str, cents: u64) -> Result<Moved, Refusal> {
    let (available, target) = (balance(from)?, balance(to)?);
    if from == to {
        return Err(Refusal::Same);
    }
    if cents == 0 {
        return Err(Refusal::Nothing);
    }
    let Some(from_cents) = available.checked_sub(cents) else {
        return Err(Refusal::Short {
            available,
            missing: cents - available,
        });
    };
    // Cannot overflow: what is added was taken from another balance of these books.
    Ok(Moved {
        from_cents,
        to_cents: target + cents,
    })
}

/// Every open account with its balance.
pub fn open_accounts() -> impl Iterator<Item = (&'static str, u64)> {
    OPENING
        .iter()
        .filter(|account| account.open)
        .map(|account| (account.name, account.cents))
}
