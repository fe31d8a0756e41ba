//! Card numbers in free text: authentication data has no place in a warehouse (JR/T 0171-2020, class C3), and people write it
//! into remarks.

/// Digits of a card number at most.
const LONGEST: usize = 19;

/// Whether a text holds what reads as a card number: digits in a row, or in groups with one space or hyphen between, with a
/// length and beginning that schemes give out and a check digit that fits (ISO/IEC 7812-1, annex B).
pub(super) fn holds_card_number(text: &[u8]) -> bool {
    // Groups of digits with one space or hyphen between, and where each begins.
    let (mut digits, mut starts): (Vec<u8>, Vec<usize>) = (Vec::new(), vec![0]);
    let mut gap = false;
    for byte in text.iter().copied().chain([b'\n']) {
        match byte {
            b'0'..=b'9' => {
                if std::mem::take(&mut gap) {
                    starts.push(digits.len());
                }
                digits.push(byte - b'0');
            }
            b' ' | b'-' if !gap && !digits.is_empty() => gap = true,
            _ => {
                if any_run(&digits, &starts) {
                    return true;
                }
                digits.clear();
                starts.truncate(1);
                gap = false;
            }
        }
    }
    false
}

/// Whether some groups in a row are a card number: another number may stand beside it.
fn any_run(digits: &[u8], starts: &[usize]) -> bool {
    let ends = || starts.iter().skip(1).copied().chain([digits.len()]);
    starts.iter().any(|start| {
        let near = ends().filter(|end| end > start).take_while(|end| end - start <= LONGEST);
        near.into_iter().any(|end| is_card_number(&digits[*start..end]))
    })
}

fn is_card_number(digits: &[u8]) -> bool {
    let [first, second, third, fourth, ..] = *digits else { return false };
    let begins = (u16::from(first) * 10 + u16::from(second), u16::from(third) * 10 + u16::from(fourth));
    let issued = match (begins, digits.len()) {
        ((62, _), 16..=19) | ((40..=49 | 51..=55, _), 16) | ((34 | 37, _), 15) | ((35, 28..=89), 16) => true,
        ((22..=27, _), 16) => (2221..=2720).contains(&(begins.0 * 100 + begins.1)),
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => u32::from(*digit),
            _ => u32::from(digit * 2 / 10 + digit * 2 % 10),
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::holds_card_number;

    #[test]
    fn card_numbers_are_told_from_other_numbers() {
        // Numbers that schemes publish for tests.
        for text in [
            "4111111111111111",
            "card 4111-1111-1111-1111.",
            "卡号5555 5555 5555 4444，",
            "6250941006528599",
            "378282246310005",
            "4111111111111111 12/28",
            "1 4111111111111111",
        ] {
            assert!(holds_card_number(text.as_bytes()), "{text}");
        }
        for text in ["4111111111111112", "phone 13800001234", "1111111111111111", "62220000", "2025-12-31 10:00:00", ""]
        {
            assert!(!holds_card_number(text.as_bytes()), "{text}");
        }
    }
}
