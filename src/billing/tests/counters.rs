//! The readings of a counter: those of one host.

use super::samples::*;

fn of_host(time: &str, host: &str) -> Sample {
    sample(time, "1", &format!(r#"{{"instance_host": "{host}"}}"#))
}

#[test]
fn readings_are_those_of_their_host_at_any_distance() {
    let all = [
        of_host("08:00", "a"),
        of_host("09:00", "b"),
        of_host("10:10", "b"),
        of_host("10:20", "a"),
        of_host("10:30", "c"),
        sample("10:40", "1", ""),
    ];
    let line = timeline(&all);
    let before: Vec<_> = (0..6).map(|index| line.index_before_of_host(index)).collect();
    assert_eq!(before, [None, None, Some(1), Some(0), None, None]);
    assert_eq!(line.next_of_host(at("08:00"), "a"), Some(at("10:20")));
    assert_eq!(line.next_of_host(at("10:10"), "b"), None);
    let without = |from, to| Vec::from_iter(line.hosts_without_start(span(from, to)));
    assert_eq!(without("10:00", "11:00"), ["", "a", "c"]);
    assert_eq!(without("09:00", "10:15"), ["b"]);
    assert_eq!(without("10:20", "10:35"), ["a", "c"]);
    assert_eq!(without("11:00", "12:00"), [""; 0]);
}
