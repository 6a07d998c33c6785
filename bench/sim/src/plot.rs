//! Line plots as SVG, written by hand: axes, a grid, lines and a legend are all that is wanted, and figures with one
//! decimal keep the files small and the same on every machine.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 66.0;
/// Told apart by those who see colours differently, too (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#999999", "#e69f00",
];

/// A line and its name; a `None` is a gap.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, Option<f64>)>,
    pub(crate) dashed: bool,
}

/// A plot.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    /// Where the y axis ends; what is above is cut.
    pub(crate) y_max: f64,
    /// Stretches of x that are shaded.
    pub(crate) shaded: Vec<(f64, f64)>,
    pub(crate) lines: Vec<Line>,
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut svg);
        svg
    }

    fn x_max(&self) -> f64 {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max)
    }

    fn write(&self, svg: &mut String) -> std::fmt::Result {
        let x_max = self.x_max();
        let px = |x: f64| LEFT + x / x_max * (WIDTH - LEFT - RIGHT);
        let py = |y: f64| {
            let up = (y / self.y_max).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
            HEIGHT - BOTTOM - up
        };
        let bottom = py(0.0);
        writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
        )?;
        writeln!(
            svg,
            r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"##
        )?;
        writeln!(
            svg,
            r#"<text x="{LEFT}" y="20" font-size="14">{}</text>"#,
            escaped(&self.title)
        )?;
        for (from, to) in &self.shaded {
            let (from, to) = (px(*from), px(to.min(x_max)));
            writeln!(
                svg,
                r##"<rect x="{from:.1}" y="{TOP}" width="{:.1}" height="{:.1}" fill="#f0e6d8"/>"##,
                to - from,
                bottom - TOP
            )?;
        }
        for at in ticks(self.y_max) {
            let y = py(at);
            writeln!(
                svg,
                r##"<path d="M{LEFT} {y:.1}H{:.1}" stroke="#dddddd"/><text x="{:.1}" y="{:.1}" text-anchor="end">{at}</text>"##,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        for at in ticks(x_max) {
            let x = px(at);
            writeln!(
                svg,
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{at}</text>"#,
                bottom + 16.0
            )?;
        }
        writeln!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - RIGHT,
            bottom + 32.0,
            self.x
        )?;
        writeln!(
            svg,
            r#"<text transform="translate(14 {bottom:.1}) rotate(-90)">{}</text>"#,
            self.y
        )?;
        for (at, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let dash = if line.dashed {
                r#" stroke-dasharray="5 4""#
            } else {
                ""
            };
            let mut path = String::new();
            let mut pen_is_up = true;
            for (x, y) in &line.points {
                match y {
                    None => pen_is_up = true,
                    Some(y) => {
                        let command = if pen_is_up { 'M' } else { 'L' };
                        write!(path, "{command}{:.1} {:.1}", px(*x), py(*y))?;
                        pen_is_up = false;
                    }
                }
            }
            writeln!(
                svg,
                r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>"#
            )?;
            let x = LEFT + at as f64 * 138.0;
            let y = HEIGHT - 12.0;
            writeln!(
                svg,
                r#"<path d="M{x:.1} {:.1}h22" stroke="{colour}" stroke-width="3"{dash}/><text x="{:.1}" y="{y:.1}">{}</text>"#,
                y - 4.0,
                x + 28.0,
                escaped(&line.name)
            )?;
        }
        writeln!(svg, "</svg>")
    }
}

/// Round numbers from 0 up to `max`, five to ten of them.
fn ticks(max: f64) -> Vec<f64> {
    let magnitude = 10f64.powf(max.log10().floor());
    let step = [0.1, 0.2, 0.5, 1.0]
        .into_iter()
        .map(|share| share * magnitude)
        .find(|step| max / step <= 10.0)
        .unwrap_or(magnitude);
    let count = (max / step + 1e-9) as u32;
    // Rounded, so that 0.30000000000000004 is not printed.
    (0..=count)
        .map(|at| (f64::from(at) * step * 1e6).round() / 1e6)
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(3.0), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(ticks(1.0).len(), 11);
        assert_eq!(ticks(130.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]);
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let plot = Plot {
            title: "a < b".to_owned(),
            x: "x",
            y: "y",
            y_max: 1.0,
            shaded: Vec::new(),
            lines: vec![Line {
                name: "one".to_owned(),
                points: vec![(0.0, Some(0.0)), (1.0, None), (2.0, Some(1.0))],
                dashed: false,
            }],
        };
        let svg = plot.svg();
        assert!(svg.contains(r#"d="M62.0 254.0M742.0 34.0""#), "{svg}");
        assert!(svg.contains("a &lt; b"));
    }
}
