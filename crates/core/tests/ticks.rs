//! Whole ticks: every code path gives what the plain one gives. Python tests what that is.

mod common;

use common::{agree, bytes_of as bytes, drawn, words};
use moiety_core::compare::{Comparison, deal_tables, look_up, tables_len};
use moiety_core::dealt::{Dealt, Origin};
use moiety_core::dpf::{Keys, Masked, points, signs};
use moiety_core::gates::{mask_bits, spread};
use moiety_core::keys::StreamKey;
use moiety_core::point_keys::{deal_keys, keys_len};
use moiety_core::products::{Masking, Own, mask_words, multiply};
use moiety_core::truncation::{Wrap, mask_tops, truncate, unmask};

#[test]
fn comparisons_agree_on_every_path() {
    for (count, ring, bits, digit) in
        [(1, 9, 8, 4), (513, 64, 63, 4), (17_000, 24, 23, 3), (999, 20, 19, 6), (70, 5, 4, 1)]
    {
        let shape = Comparison { count, ring, bits, digit };
        let high = (0..bits.div_ceil(digit)).map(|index| bits - index * digit);
        let tables = high.map(|high| ((1 << high.min(digit)) - 1) * count);
        let fields: Vec<usize> = [count * ring as usize, count].into_iter().chain(tables).collect();
        let bytes_due = (count * ring as usize).div_ceil(8);
        let mut message = bytes(&words(1, bytes_due.div_ceil(8)));
        message.truncate(bytes_due);
        *message.last_mut().expect("not empty") &= 1;
        agree(|features| {
            let dealt = drawn(1, &fields, features);
            let mut states = [(); 2].map(|()| vec![0; shape.rows() * count.div_ceil(64)]);
            let (given, mut sent) = (words(7, count), vec![0; bytes_due]);
            let masks = dealt.share(0, count, ring).expect("a fit");
            let masking = Masking { subtract: false, offset: 0, bits: ring };
            mask_words(&[&given], &[masks], masking, &mut sent, features).expect("a fit");
            let ways = [Own::Message(&sent), Own::Made(&given, masks)];
            for (own, state) in ways.into_iter().zip(&mut states) {
                let both = (own, &message[..], 77);
                look_up(both, (&dealt, 2), (shape, true), state, features).expect("a fit");
            }
            let [told, made] = states;
            assert!(told == made);
            bytes(&told)
        });
        agree(|features| {
            let parties = (&drawn(1, &fields, features), &drawn(2, &fields[..1], features));
            let mut out = vec![0; tables_len(shape, true).expect("a fit")];
            deal_tables(parties, (shape, 2), true, &mut out, features).expect("a fit");
            out
        });
    }
}

#[test]
fn point_functions_agree_on_every_path() {
    for (count, ring) in [(1, 2), (13, 8), (9001, 9), (4096, 64), (5003, 24)] {
        let roots = [64 * count, 128 * count, 128 * count, count];
        let message = bytes(&words(5, count));
        agree(|features| {
            let parties = (&drawn(1, &roots, features), &drawn(2, &roots, features));
            let keys = [ring - 1, ring].map(|domain| Keys { count, domain });
            let [prefix, point] = keys.map(|keys| {
                let mut out = vec![0; keys_len(keys).expect("a fit")];
                deal_keys(parties, (keys, 64), &mut out, features).expect("a fit");
                out
            });
            let due = (count * ring as usize).div_ceil(8);
            let mut opened = message[..due].to_vec();
            *opened.last_mut().expect("not empty") &= 1;
            let shares = |field, keys: Keys, words: &[u8]| {
                let depth = keys.domain.saturating_sub(7) as usize * count;
                let inner = [63 * depth, 64 * depth, 2 * depth];
                let fields = roots[..field].iter().map(|&bits| (bits, false));
                let inner = inner.into_iter().filter(|_| depth > 0).chain([128 * count]);
                let fields: Vec<_> = fields.chain(inner.map(|bits| (bits, true))).collect();
                let origin = Origin { key: &StreamKey::new(&[1; 16]), stream: 7, offset: 11 };
                Dealt::new(origin, &fields, (words.to_vec(), 0), features).expect("a fit")
            };
            let messages = (&opened[..], &opened[..]);
            let masked = Masked { messages, count, ring, field: 4, first: true };
            let (mut sign, mut equal) = (vec![0; 3 * count], vec![0; count]);
            let dealt = shares(4, keys[0], &prefix);
            signs(masked, &dealt, &[0, 5, 1 << 60], &mut sign, features).expect("a fit");
            let dealt = shares(3, keys[1], &point);
            let masked = Masked { field: 3, first: false, ..masked };
            points(masked, &dealt, &mut equal, features).expect("a fit");
            [prefix, point, sign, equal].concat()
        });
    }
}

#[test]
fn words_agree_on_every_path() {
    let count = 5000;
    let x = words(3, count);
    let message = bytes(&words(4, 2 * count));
    let masking = Masking { subtract: true, offset: 5, bits: 64 };
    let fields = [64 * count, 64 * count, 64 * count, count, 18 * count];
    agree(|features| {
        let dealt = drawn(1, &fields, features);
        let triple = dealt.shares(0, [(count, 64); 3]).expect("a fit");
        let [bit] = dealt.shares(3, [(count, 1)]).expect("a fit");
        let [product] = dealt.shares(4, [(count, 18)]).expect("a fit");
        let mut out = vec![0; 8 * count];
        mask_words(&[&x], &triple[..1], masking, &mut out, features).expect("a fit");
        let mut found = vec![0; count];
        multiply(&message, &message, triple, (true, 64), &mut found, features).expect("a fit");
        out.extend(bytes(&found));
        let mut tops = vec![0; count / 8];
        mask_tops(&x, bit, (9, 64), &mut tops, features).expect("a fit");
        let wrap = Wrap { mine: bit, product, ring: 64, shift: 18, first: true };
        let theirs = &message[..count / 8];
        truncate(&x, &tops, theirs, wrap, &mut found, features).expect("a fit");
        out.extend(bytes(&found));
        unmask(&tops, theirs, triple[2], true, &mut found, features).expect("a fit");
        out.extend(bytes(&found));
        let mut bits = vec![0; count];
        spread(&x[..count.div_ceil(64)], &mut bits, features);
        let mut masked = vec![0; count / 8];
        mask_bits(&[&bits], &[bit], &mut masked, features).expect("a fit");
        out.extend(masked.into_iter().chain(bits).chain(tops));
        out
    });
}
