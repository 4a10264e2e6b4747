/* With each flag that forbids the compiler to simplify. */
#include "facts.h"

#include "chosen.h"

FACTS(with_careful) { chosen(); }
