function square(x) result(y) bind(c)
    use iso_c_binding
    integer(c_int), value :: x
    integer(c_int) :: y
    character(len=12) :: text
    write (text, *) x * x
    read (text, *) y
end function
