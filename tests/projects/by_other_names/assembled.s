	.text
	.globl assembled
	.type assembled, %function
assembled:
	mov w0, #1
	ret
	.section .note.GNU-stack, "", %progbits
