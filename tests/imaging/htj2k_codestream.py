"""An HTJ2K codestream (reversible, 33 x 36, unsigned 16 bits) of the picture of test_encodings, as OpenJPH 0.26.3 writes it."""

from __future__ import annotations

import base64

CODESTREAM = base64.b85decode(
    "|4;u>04YEK0000a0000X00000000000000a0000X0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0smY86Cj9?kdTm&kdTm&kdTmwh=~7W0"
    "2crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00003)c^tilfVEg05$Ou_-Od7_yU2n0KfnfzyK8x00h8WB>n-5bO0$rApQgabO71y1P62gzyKA{00m?K0Z"
    "?eUmYdm(Kx_L0{K1s~D|mNKma6~|fxngjNl44_06~-hzyKFV003PK00C+Ma1#)lfb75y2y;OM<53I(ju&znL-ykU01xI6fy_i8BAfsyQV5-EYg<8ye`T"
    "Lw(a`fEfb>El{r(^NB#<8vfKs{u#3kWDrmGxe{w*aHc>qE%K(e<0zyKGkzyKGlKmZp~ET>Bzw}edj0g%l_%1D2MYp91c_yNEt*iO6r`J5x&><+9r33%N"
    "I5b+qDfeqmZmRRsuI0upnTqo!N0_p#6xx0_Q1s7f$ZYLwi*dTx}1V{ix(!2oz0fr|)h5?7ALOsvVby~4D+{_*PeSEj0CrJwC`f*Ig>{mr}O&2X)IAKU5"
    "L2v;8PNISijwWodNqU;Dzl$LPXHrr?`%DiCnbee!E5;Xq06+u)YM22aum$b4yZ$0|(rn2gtVJLs8q$Vg$s@dxNV})|wB*QrP(SsG^n#TEzyL3}AOIKMF"
    "aQhDfJ6=&122RT1bB|-4BvhCdkJMIvjR#`S*D$4no$O*L}Y!|l-JfsYMR&=8=aM=FvH<x>)d@Fd+cz3-2RI)81`Cl<kil6=NftmC6w@c-uFhkqXA9=Q>"
    "@d8oOforDX*L6`PvD91W1)-n6iwBkSq=WA}#@zWbqRtDoV>@%3N^40p?`v;<i1Pdk<Zx!Q|KrQh4aNzh6fA5`R8_Z-0HWqpC+i8c;V`Iavcr4JueD`5a"
    "&XYIgC^j*h=I9a1|<8c;V`Ke1`cPPb0mz70bV13?QUvfNUM6l9~71V9A|>;xU*5njNpGr(ZJGu&@*Cw<Z@L5){NA*L8%9#NtQ04dbcPg!N11+#bi@4WT"
    "aJNtJVgb^8V$SJ5|#)&r%{-jUx;N5Y403a0z)^!3<00hife)k&G#eU?$U9aaiA9cptE?^@%qC-X;yZkfGIHBY*!+{c%XabBt1OcYPjz~ovg_1d<G=<u|"
    "H{zOaHjpNe#6AHa0fZ;0CP*lVb)5L_hhPbk09x#h^XsW_`oTa+0h1+lasmw`k=@`_cW^Vi<{^&jg}Ysm+O^Oi`qQ8!fXb_aNC-3wz1{#jt_BFzBvPUCa"
    "%)K#Rs;Y53IK3;pa*~va3}x=L;wK70S^<Y*;I4aTyF4o=zcuPXH!_Ov#m@!>eaiRq%J;Zn(GX9`p`j^V26og7OvmAwO_OY|Je"
)
