;; H02: copies the whole of its memory over and over: each copy is one instruction, and the clock is
;; looked at between instructions.
(component
  (core module $m
    (memory 768)
    (func (export "run")
      (loop $again
        (memory.copy (i32.const 1) (i32.const 0) (i32.const 50331647))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
