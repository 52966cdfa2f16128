//! Ticks on dealt tables, lines and waves: every code path gives what the plain one gives.

mod common;

use common::{agree, drawn, message, words};
use moiety_core::equal::{self, Digits};
use moiety_core::floor::{self, Floor};
use moiety_core::lookup::{self, Places};
use moiety_core::scaled::{self, Axis, Lines, Opening};
use moiety_core::scaled_deal::{deal_scaled, scaled_len};
use moiety_core::shuffle::{self, Rows};
use moiety_core::tree::{self, Tree};
use moiety_core::waves::{self, Sum, Waves};

const COUNTS: [usize; 5] = [1, 63, 1000, 5003, 150_000];

#[test]
fn waves_agree_on_every_path() {
    for (count, period, ring) in [(1, 2, 64), (1001, 21, 35), (40_000, 24, 33), (65, 64, 40)] {
        let form = Waves { period, terms: 6, fraction: 14, ring };
        let fields = [count * period as usize, 12 * count * ring as usize];
        let opened = message(7, count, period);
        agree(|features| {
            let parties = (&drawn(1, &fields, features), &drawn(2, &fields[..1], features));
            let mut sent = vec![0; waves::waves_len(count, form).expect("a fit")];
            waves::deal_waves(parties, (1, period), (count, form), &mut sent, features)
                .expect("a fit");
            let sum = Sum {
                messages: (&opened, &opened),
                bits: period,
                field: 1,
                waves: form,
                amplitudes: &[3.25, -1e5, 0.0, 1e-9, 77.7, 4e4],
                offset: 5,
            };
            let mut found = vec![0; count];
            waves::sum_waves(sum, parties.0, &mut found, features).expect("a fit");
            [sent, common::bytes_of(&found)].concat()
        });
    }
}

#[test]
fn scales_and_lines_agree_on_every_path() {
    for count in COUNTS {
        let ring = 37;
        let width = ring as usize * count;
        let fields = [3 * count, width, 3 * width, 3 * width];
        let opened = [message(8, 3 * count, 1), message(9, count, ring)].concat();
        let axes =
            [(3, count, 0), (count, 1, 1)].map(|(size, bits, words)| Axis { size, bits, words });
        let crossed =
            [(count, 1, 1), (3, count, 0)].map(|(size, bits, words)| Axis { size, bits, words });
        let opening = Opening { bits: 3 * count, words: count, ring };
        let x = words(3, count);
        let lines = Lines { slopes: &x[..1].repeat(4), offsets: &[1, 2, 1 << 60, 4] };
        agree(|features| {
            let dealt = &drawn(1, &fields, features);
            let other = &drawn(2, &fields[..2], features);
            let (mut found, mut line) = (vec![0; 3 * count], vec![0; count]);
            let messages = (&opened[..], &opened[..]);
            let mut out = Vec::new();
            for axes in [&axes, &crossed] {
                scaled::scale(messages, (dealt, opening, true), axes, &mut found, features)
                    .expect("a fit");
                out.extend(common::bytes_of(&found));
                let mut sent = vec![0; scaled_len(opening, axes).expect("a fit")];
                deal_scaled((dealt, other), (opening, axes), &mut sent, features).expect("a fit");
                out.extend(sent);
            }
            scaled::lines(messages, (dealt, ring, false), (&x, lines), &mut line, features)
                .expect("a fit");
            [out, common::bytes_of(&line)].concat()
        });
    }
}

#[test]
fn tables_agree_on_every_path() {
    for (count, bits) in [(1, 1), (1000, 1), (77, 3), (5003, 6), (801, 9)] {
        let size = 1 << bits;
        let places = Places { count, bits };
        let fields = [count * bits as usize, size * count * 23];
        let units = [fields[0], size * count];
        let (opened, table) = (message(8, count, bits), words(5, size));
        agree(|features| {
            let dealt = &drawn(1, &fields, features);
            let parties = (dealt, &drawn(2, &fields[..1], features));
            let mut sent = vec![0; lookup::tables_len(places, 23).expect("a fit")];
            lookup::deal_rotated(parties, (places, 23), &table, &mut sent, features)
                .expect("a fit");
            let mut found = vec![0; count];
            let messages = (&opened[..], &opened[..]);
            lookup::entries(messages, dealt, (places, 23), &mut found, features).expect("a fit");
            let (dealt, mut unit) = (&drawn(1, &units, features), vec![0; size * count]);
            lookup::one_hot(messages, dealt, places, &mut unit, features).expect("a fit");
            let mut vectors = vec![0; lookup::units_len(places).expect("a fit")];
            lookup::deal_units((dealt, parties.1), places, &mut vectors, features).expect("a fit");
            [sent, unit, vectors, common::bytes_of(&found)].concat()
        });
    }
}

#[test]
fn equality_agrees_on_every_path() {
    for count in COUNTS {
        let shape = Digits { count, ring: 23, digit: 4 };
        let widths = [16, 16, 16, 16, 16, 8].map(|bits| bits * count);
        let fields = [&[23 * count][..], &widths].concat();
        let opened = message(8, count, 23);
        let level = [3 * count; 3];
        let gates = message(9, 6 * count, 1);
        agree(|features| {
            let dealt = &drawn(1, &fields, features);
            let parties = (dealt, &drawn(2, &fields[..1], features));
            let mut sent = vec![0; equal::digits_len(shape).expect("a fit")];
            equal::deal_digits(parties, shape, &mut sent, features).expect("a fit");
            let width = count.div_ceil(64);
            let (mut state, mut merged) = (vec![0; 6 * width], vec![0; 3 * width]);
            equal::leaves((&opened, &opened), dealt, shape, &mut state, features).expect("a fit");
            let (gate, rows) = (&drawn(3, &level, features), (Tree::All, 6));
            let mut sent_level = vec![0; tree::level_len(rows, count).expect("a fit")];
            let now = (&state[..], Tree::All, 6);
            tree::mask_level(now, gate, count, &mut sent_level, features).expect("a fit");
            tree::merge_level(now, &gates, gate, (count, true), &mut merged, features)
                .expect("a fit");
            // Bits after the last of a row are whatever they are.
            let last = if count % 64 == 0 { u64::MAX } else { (1 << (count % 64)) - 1 };
            merged.iter_mut().skip(width - 1).step_by(width).for_each(|word| *word &= last);
            [sent, sent_level, common::bytes_of(&merged)].concat()
        });
    }
}

#[test]
fn floors_and_orders_agree_on_every_path() {
    for count in COUNTS {
        let shape = Floor { count, ring: 40, shift: 13 };
        let fields = [40 * count, 64 * count, 37 * count];
        let (opened, borrow) = (message(8, count, 40), words(4, count));
        let rows = Rows { count, columns: 3, ring: 33 };
        let keys = [64 * count, 99 * count, 99 * count];
        let x = words(6, 3 * count);
        let masked = message(9, 3 * count, 33);
        agree(|features| {
            let dealt = &drawn(1, &fields, features);
            let parties = (dealt, &drawn(2, &fields[..1], features));
            let mut sent = vec![0; floor::floor_words_len(shape).expect("a fit")];
            floor::deal_floor_words(parties, shape, &mut sent, features).expect("a fit");
            let mut found = vec![0; count];
            let messages = (&opened[..], &opened[..], &borrow[..]);
            floor::floor_words(messages, (dealt, true), shape, &mut found, features)
                .expect("a fit");
            let (dealt, other) = (&drawn(1, &keys, features), &drawn(2, &keys, features));
            let mut shuffled = vec![0; rows.message_len().expect("a fit")];
            shuffle::deal((dealt, other), (0, rows), &mut shuffled, features).expect("a fit");
            let mut order = vec![0; count];
            shuffle::order(dealt.share(0, count, 64).expect("a fit"), &mut order);
            let third = |field| dealt.share(field, 3 * count, 33).expect("a fit");
            let mut gathered = shuffled.clone();
            shuffle::mask_rows((&x, &order), rows, third(1), &mut gathered, features)
                .expect("a fit");
            let mut placed = vec![0; 3 * count];
            let last = (rows, third(2));
            shuffle::place_rows(&x, (&order, &order), &masked, last, &mut placed, features)
                .expect("a fit");
            let words = [found, placed].concat();
            [sent, shuffled, gathered, common::bytes_of(&words)].concat()
        });
    }
}
