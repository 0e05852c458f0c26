//! The exponential function, for samplers and estimators.
//!
//! A request takes several lognormal draws, and `libm::exp` takes more time than all the rest of a
//! draw; the platform's own is fast, but its last bit differs between C libraries. This one is
//! additions and multiplications in a fixed order, which IEEE 754 defines to the last bit, so it
//! gives the same result on every machine. The method is Tang's ("Table-driven implementation of
//! the exponential function in IEEE floating-point arithmetic", ACM TOMS 15, 1989):
//! `exp(x) = 2^k 2^(j/32) exp(r)` with `|r|` at most `ln 2 / 64`, where a short polynomial does.

const STEPS_PER_UNIT: f64 = 32.0 / std::f64::consts::LN_2;
/// `ln 2 / 32` in two parts; the first has so many zeros at its end that products with whole steps
/// are exact.
const STEP_HIGH: f64 = f64::from_bits(0x3f96_2e42_fefa_0000);
const STEP_LOW: f64 = f64::from_bits(0x3d2c_f79a_bc9e_3b3a);
/// Added to a number below 2^51 it leaves the nearest integer in the low bits.
const ROUNDER: f64 = 1.5 * (1u64 << 52) as f64;
/// Up to here, in both directions, the result is a normal number.
const RANGE: f64 = 700.0;

/// `e^x`, off by no more than the last bit or two.
#[inline]
#[must_use]
pub fn exp(x: f64) -> f64 {
    let within = x.abs() <= RANGE;
    if !within {
        return libm::exp(x);
    }
    let rounded = x * STEPS_PER_UNIT + ROUNDER;
    let steps = rounded.to_bits() as i32;
    let whole = rounded - ROUNDER;
    let r = (x - whole * STEP_HIGH) - whole * STEP_LOW;
    let square = r * r;
    let high = (1.0 / 24.0 + r * (1.0 / 120.0)) + square * (1.0 / 720.0);
    let beyond_one = r + square * ((0.5 + r * (1.0 / 6.0)) + square * high);
    let fraction = f64::from_bits(POWERS[(steps & 31) as usize]);
    let exponent = f64::from_bits(((1023 + (steps >> 5)) as u64) << 52);
    (fraction + fraction * beyond_one) * exponent
}

/// `2^(j/32)`, as bits.
const POWERS: [u64; 32] = [
    0x3ff0_0000_0000_0000,
    0x3ff0_59b0_d315_8574,
    0x3ff0_b558_6cf9_890f,
    0x3ff1_1301_d012_5b51,
    0x3ff1_72b8_3c7d_517b,
    0x3ff1_d487_3168_b9aa,
    0x3ff2_387a_6e75_6238,
    0x3ff2_9e9d_f51f_dee1,
    0x3ff3_06fe_0a31_b715,
    0x3ff3_71a7_373a_a9cb,
    0x3ff3_dea6_4c12_3422,
    0x3ff4_4e08_6061_892d,
    0x3ff4_bfda_d536_2a27,
    0x3ff5_342b_569d_4f82,
    0x3ff5_ab07_dd48_5429,
    0x3ff6_247e_b03a_5585,
    0x3ff6_a09e_667f_3bcd,
    0x3ff7_1f75_e8ec_5f74,
    0x3ff7_a114_73eb_0187,
    0x3ff8_2589_994c_ce13,
    0x3ff8_ace5_422a_a0db,
    0x3ff9_3737_b0cd_c5e5,
    0x3ff9_c491_82a3_f090,
    0x3ffa_5503_b23e_255d,
    0x3ffa_e89f_995a_d3ad,
    0x3ffb_7f76_f2fb_5e47,
    0x3ffc_199b_dd85_529c,
    0x3ffc_b720_dcef_9069,
    0x3ffd_5818_dcfb_a487,
    0x3ffd_fc97_337b_9b5f,
    0x3ffe_a4af_a2a4_90da,
    0x3fff_5076_5b6e_4540,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn assert_close(x: f64) {
        let (ours, reference) = (exp(x), libm::exp(x));
        let units = ours.to_bits().abs_diff(reference.to_bits());
        assert!(units <= 2, "exp({x:?}) is {ours:?}, not {reference:?}");
    }

    #[test]
    fn agrees_with_the_reference_to_the_last_bits() {
        let mut rng = Rng::from_state(1);
        for _ in 0..1_000_000 {
            assert_close((rng.uniform() - 0.5) * 40.0);
            assert_close((rng.uniform() - 0.5) * 1400.0);
        }
        for tiny in [0.0, -0.0, 1e-300, -1e-300, 1e-17, -1e-9, 700.0, -700.0] {
            assert_close(tiny);
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(1.0), std::f64::consts::E);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(-800.0), 0.0);
        assert_eq!(exp(800.0), f64::INFINITY);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
    }
}
