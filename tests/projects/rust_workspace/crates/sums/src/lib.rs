pub fn double(n: i64) -> i64 {
    2 * n
}
